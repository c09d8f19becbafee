"""The containers' files: complete, without secrets, and naming only what exists."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LONG_RUNNING = ("database", "catalog", "tiler", "front")
SERVICE_KEYS = frozenset(
    {
        *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image"),
        *("networks", "ports", "profiles", "read_only", "restart", "security_opt", "tmpfs"),
        "volumes",
    }
)
"""The keys in use, each spelled as in the Compose specification."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


def _services(compose: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from compose["services"].items()


def test_only_keys_of_the_specification_are_used(compose: Mapping[str, Any]) -> None:
    known = {"name", "services", "networks", "volumes"}
    assert {key for key in compose if not key.startswith("x-")} == known
    for name, service in _services(compose):
        assert set(service) <= SERVICE_KEYS, name
        assert isinstance(service["image"], str), name
        assert service["restart"] in ("no", "always", "on-failure", "unless-stopped"), name
        environment = service.get("environment", {})
        assert all(isinstance(value, str) for value in environment.values()), name


def test_what_a_service_refers_to_exists(compose: Mapping[str, Any]) -> None:
    services = compose["services"]
    for name, service in _services(compose):
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file(), name
        for other, terms in service.get("depends_on", {}).items():
            assert other in services
            if terms["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}"
        assert set(service["networks"]) <= set(compose["networks"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), name
            else:
                assert source in compose["volumes"], name


def test_services_are_watched_and_confined(compose: Mapping[str, Any]) -> None:
    for name, service in _services(compose):
        assert service["read_only"] is True, name
        assert "no-new-privileges:true" in service["security_opt"], name
        if name in LONG_RUNNING:
            assert service["healthcheck"]["test"][0] == "CMD", name
    assert [name for name, service in _services(compose) if "ports" in service] == ["front"]
    assert compose["networks"]["inside"] == {"internal": True}


def test_public_services_hold_no_password_that_may_write(compose: Mapping[str, Any]) -> None:
    for name in ("catalog", "tiler"):
        environment = str(compose["services"][name]["environment"])
        assert "GFARD_READ_PASSWORD" in environment
        assert "INGEST" not in environment
        assert "OWNER" not in environment


def test_every_password_comes_from_outside_and_is_demanded() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    passwords = {name for name, _ in variables if name.endswith("PASSWORD")}
    demanded = {name for name, rest in variables if rest.startswith(":?")}
    assert len(passwords) == 4
    assert passwords <= demanded
    written = re.findall(r"(?:PASSWORD: |postgresql://\w+:)(\S+)", text)
    assert all(value.startswith("${") for value in written)


def test_commands_are_commands_of_gfard(compose: Mapping[str, Any]) -> None:
    import typer.main

    from infra.cli import app

    group = typer.main.get_command(app)
    for name, service in _services(compose):
        if "build" in service:
            first = service["command"][0]
            assert first in group.commands, f"{name}: {first}"  # type: ignore[attr-defined]


def test_settings_named_in_the_file_exist(compose: Mapping[str, Any]) -> None:
    from infra.settings import InfraSettings

    known = {f"GFARD_{name.upper()}" for name in InfraSettings.model_fields}
    for name, service in _services(compose):
        used = {key for key in service.get("environment", {}) if key.startswith("GFARD_")}
        assert used <= known, name


@pytest.mark.parametrize("room", ["processing", "catalog", "tiler"])
def test_images_copy_what_exists_and_run_without_root(room: str) -> None:
    lines = (ROOT / f"infra/docker/Dockerfile.{room}").read_text().splitlines()
    copied = [
        source
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in shlex.split(line)[1:-1]
    ]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    assert "USER gfard" in lines
    assert not any(line.startswith(("ADD ", "ARG ")) for line in lines)


def test_the_front_sends_each_path_to_its_room() -> None:
    text = (ROOT / "infra/docker/nginx.conf").read_text()
    assert text.count("{") == text.count("}")
    routes = dict(re.findall(r"location (\S+) \{[^}]*?proxy_pass http://(\w+);", text))
    assert routes.pop("/tiles") == "tiler"
    assert routes.keys() == {"/stac", "/stac/export", "/data", "/"}
    assert set(routes.values()) == {"catalog"}
