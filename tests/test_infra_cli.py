"""The command line: what it prints where, and how it says that something is wrong."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from catalog.errors import ServiceError, StoreError
from catalog.folder import FolderStore
from infra.binaries import installed
from infra.cli import app
from infra.postgres import Cluster
from infra.simulation import SimulationOptions, scene_spec
from processing.atmosphere.lutdata import shipped_hash
from processing.result import SceneResult, Status
from tests.catalog_products import facts, store_product

COMMANDS = {
    "demo", "simulate", "process", "publish", "withdraw", "download", "serve", "check", "doctor",
    "evaluate", "report", "library", "normalise", "lut", "db",
}  # fmt: skip


def _gfard(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def produced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """Let `process` get its results from here: done, rejected, failed, by the package's name."""
    asked: list[dict[str, object]] = []

    def produce(path: Path, **options: object) -> SceneResult:
        asked.append({"path": path, **options})
        status = Status(path.name)
        reason = {"done": "", "rejected": "cloud", "failed": "ImageError"}[path.name]
        items = ("GF1WFV1.16m.2014206190943.31TCL.000123",) if status is Status.DONE else ()
        return SceneResult(
            path.name,
            status,
            reason,
            f"{reason} [seen 90, wanted < 80]" if reason else "",
            items,
            timings={"ortho": 1.5, "wall": 2.0},
            warnings=("no [dem] given",),
        )

    monkeypatch.setattr("processing.pipeline.produce", produce)
    monkeypatch.setenv("GFARD_DATA", str(tmp_path))
    return asked


def test_every_command_exists_and_explains_itself() -> None:
    group = typer.main.get_command(app)
    assert set(group.commands) == COMMANDS  # type: ignore[attr-defined]
    for command in sorted(COMMANDS):
        answer = CliRunner().invoke(app, [command, "--help"])
        assert answer.exit_code == 0, command
        assert "Usage" in answer.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = {"numba", "onnxruntime", "psycopg", "rasterio", "scipy", "stac_fastapi", "titiler"}
    code = f"import sys, infra.cli; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_process_prints_one_json_line_for_each_package(produced: list[dict[str, object]]) -> None:
    answer = CliRunner().invoke(app, ["process", "done", "rejected", "--json", "--dem", "glo30"])
    assert answer.exit_code == 0, "a gate is a result, not a failure"
    results = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [result["status"] for result in results] == ["done", "rejected"]
    assert results[1]["reason"] == "cloud"
    assert produced[0]["dem"] == "glo30"


def test_process_hands_down_version_and_store(
    produced: list[dict[str, object]], tmp_path: Path
) -> None:
    arguments = ["process", "done", "--version", "000777", "--store", str(tmp_path / "else")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert produced[0]["settings"].version == "000777"  # type: ignore[attr-defined]
    assert produced[0]["store"].label == str(tmp_path / "else")  # type: ignore[attr-defined]


def test_process_hands_down_reference_and_leave(produced: list[dict[str, object]]) -> None:
    arguments = ["process", "done", "--reference", "archive", "--allow-unverified"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert produced[0]["reference"] == "archive"
    assert produced[0]["settings"].allow_unverified  # type: ignore[attr-defined]
    assert CliRunner().invoke(app, ["process", "done"]).exit_code == 0
    assert produced[1]["reference"] is None
    assert not produced[1]["settings"].allow_unverified  # type: ignore[attr-defined]


def test_a_failed_package_is_one_line_and_the_others_go_on(
    produced: list[dict[str, object]],
) -> None:
    answer = CliRunner().invoke(app, ["process", "failed", "done", "--timings"])
    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert "error: failed: ImageError [seen 90, wanted < 80]\n" in answer.stderr
    assert "warning: failed: no [dem] given\n" in answer.stderr
    assert "GF1WFV1.16m.2014206190943.31TCL.000123" in answer.stderr
    assert "ortho" in answer.stderr
    assert len(produced) == 2


def test_a_missing_package_is_one_line(tmp_path: Path) -> None:
    done = _gfard("process", str(tmp_path / "none.tar.gz"), GFARD_DATA=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "none.tar.gz" in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("GFARD_PORT", "many", ("db", "status")),
        ("GFARD_PUBLIC_URL", "example.org", ("db", "status")),
        ("GFARD_PROCESS_VERSION", "a b", ("process", "x")),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    name: str, value: str, arguments: tuple[str, ...]
) -> None:
    done = _gfard(*arguments, **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {name}: ")
    assert repr(value) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_that_is_away_is_one_line_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://owner:s3cret@127.0.0.1:1/gfard"
    (tmp_path / "store").mkdir()
    done = _gfard("publish", GFARD_DATA=str(tmp_path), GFARD_DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "port=1" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_taken_port_is_known_before_any_work(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("demo", "serve"):
            done = _gfard(command, "--port", port, GFARD_DATA=str(tmp_path))
            assert done.returncode == 1
            assert f"port {port}" in done.stderr
            assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_check_finds_that_there_is_nothing(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
    assert answer.exit_code == 1
    (finding,) = json.loads(answer.stdout)
    assert finding["level"] == "error"
    assert finding["path"] == str(tmp_path)


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """Folder that the database's account reaches."""
    if not installed():
        pytest.skip("PostgreSQL is not installed")
    path = Path(tempfile.mkdtemp(prefix="gfard-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    Cluster(path / "postgres").stop()
    shutil.rmtree(path)


@pytest.mark.integration
def test_the_database_starts_stops_and_tells(
    monkeypatch: pytest.MonkeyPatch, data_folder: Path
) -> None:
    monkeypatch.setenv("GFARD_DATA", str(data_folder))
    runner = CliRunner()
    states = []
    for step in ("status", "start", "status", "stop", "status"):
        arguments = ["db", step, *(["--json"] if step == "status" else [])]
        answer = runner.invoke(app, arguments)
        assert answer.exit_code == 0, answer.stderr
        if step == "status":
            states.append(json.loads(answer.stdout)["state"])
    assert states == ["absent", "running", "stopped"]


def _options(**changes: object) -> SimulationOptions:
    values: dict[str, object] = {
        "camera": "GF1WFV1",
        "time": datetime(2020, 6, 18, 10, 44),
        "centre": "1.1,45.5",
        "size": "700x600",
        "raster": None,
        "bands": "1,2,3,4",
        "scale": 1e-4,
        "dem": None,
        "aod": 0.2,
        "cloud_cover": 0.0,
        "cloud_height_m": 1800.0,
        "seed": 3,
    }
    return SimulationOptions(**values | changes)  # type: ignore[arg-type]


def test_options_of_simulate_become_a_scene() -> None:
    spec = scene_spec(_options(cloud_cover=0.3))
    assert (spec.rows, spec.cols, spec.centre) == (700, 600, (1.1, 45.5))
    assert spec.time == datetime(2020, 6, 18, 10, 44, tzinfo=UTC)
    assert spec.air.aod == 0.2
    assert spec.clouds is not None
    assert spec.clouds.cover == 0.3
    assert scene_spec(_options()).clouds is None


def test_a_raster_gives_the_place_and_the_land(tmp_path: Path) -> None:
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    raster = tmp_path / "sr.tif"
    with rasterio.open(
        raster,
        "w",
        driver="GTiff",
        width=100,
        height=50,
        count=4,
        dtype="uint16",
        crs="EPSG:32631",
        transform=from_origin(499000.0, 0.9996 * 4984944.378 + 500.0, 20.0, 20.0),
    ) as target:
        target.write(np.ones((4, 50, 100), np.uint16))
    spec = scene_spec(_options(raster=raster, centre=None, bands="4,3,2,1"))
    # Easting 500 km is the meridian of zone 31, where northing is 0.9996 of the arc from the
    # equator: 4984944.378 m to 45 degrees on WGS 84.
    assert spec.centre == pytest.approx((3.0, 45.0), abs=1e-8)
    assert spec.land.bands == (("blue", 4), ("green", 3), ("red", 2), ("nir", 1))  # type: ignore[union-attr]
    with pytest.raises(ServiceError, match=r"--bands: seen 1, 2, 3, 5, .* has bands 1 to 4"):
        scene_spec(_options(raster=raster, centre=None, bands="1,2,3,5"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": "700"}, r"--size: seen '700', wanted 2 numbers with 'x'"),
        ({"centre": "1;2"}, r"--centre: seen '1;2'"),
        ({"centre": None}, r"--centre is missing"),
        ({"raster": Path("none.tif"), "centre": None}, r"none\.tif: not readable as a raster"),
        ({"size": "0x600"}, r"--size: seen 0x600, wanted whole numbers from 64"),
        ({"size": "70.5x600"}, r"--size: seen 70\.5x600, wanted whole"),
        ({"size": "nanx600"}, r"--size: seen nanx600, wanted whole"),
        ({"centre": "500,45"}, r"--centre: seen 500,45, wanted a longitude within 180"),
        ({"centre": "1,86"}, r"latitude within 80 degrees"),
        (
            {"time": datetime(2020, 6, 18, 22, 44)},
            r"--time: at 2020-06-18 22:44 UTC the sun",
        ),
        ({"dem": Path("dem.tif")}, r"--dem: heights go with a --raster"),
    ],
)
def test_an_option_that_cannot_be_read_shows_how_it_is_written(
    change: dict[str, object], said: str
) -> None:
    with pytest.raises(ServiceError, match=said):
        scene_spec(_options(**change))


def test_assessing_an_empty_store_is_refused(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", str(tmp_path), "--ceos-ard"])
    assert isinstance(answer.exception, StoreError)
    assert "no product to assess" in str(answer.exception)


def test_the_assessment_writes_its_reports(tmp_path: Path) -> None:
    store_product(FolderStore(tmp_path / "store"), facts())
    options = ["--ceos-ard", "--keep", "--out", str(tmp_path / "out"), "--json"]
    answer = CliRunner().invoke(app, ["check", str(tmp_path / "store"), *options])
    assert answer.exit_code == 1  # random pixels contradict each other
    told = json.loads(answer.stdout)["gf1-wfv-ard"]
    for folder in (tmp_path / "out", tmp_path / "store"):
        report = folder / "gf1-wfv-ard" / "ceos-ard.json"
        assert json.loads(report.read_text()) == told
        assert "Self-assessed" in report.with_suffix(".html").read_text()


def test_a_small_table_is_built(tmp_path: Path) -> None:
    arguments = ["lut", "build", str(tmp_path), "--small", "--model", "continental", "--json"]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    digest = json.loads(answer.stdout)["continental"]
    with np.load(tmp_path / "continental.npz") as parts:
        assert parts["path"].shape == (2, 2, 3, 3, 2, 3)
        bright, dim = parts["path"][:, -1, 1].mean((1, 2, 3))
    assert bright > 3 * dim  # blue and near infrared
    assert len(digest) == 64
    assert shipped_hash() != digest


def test_the_tables_of_production_are_shown() -> None:
    answer = CliRunner().invoke(app, ["lut", "show", "--json"])
    told = json.loads(answer.stdout)
    assert told["content_hash"] == shipped_hash()
    assert len(told["models"]) == 5
    assert max(told["nodes"]["sza_deg"]) == 75
