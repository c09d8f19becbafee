"""The guide to production names every setting, with its meaning and default."""

from pathlib import Path

from processing.settings import ProcessSettings

GUIDE = (Path(__file__).parents[1] / "docs/production.md").read_text()


def shown(default: object) -> str:
    """Return a default as the guide writes it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return "" if default is None else str(default)


def test_the_guide_names_every_setting():
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `GFARD_PROCESS_")]
    wanted = [
        f"| `GFARD_PROCESS_{name.upper()}` | {field.description} | {shown(field.default)} |"
        for name, field in ProcessSettings.model_fields.items()
    ]
    assert rows == wanted
