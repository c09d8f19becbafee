"""The report on geometry: regions, shares by hand count, pictures, and the command."""

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from catalog.folder import FolderStore
from infra.cli import app
from processing.report.accuracy import PUBLISHED, Scene, read_scenes, shares
from processing.report.plot import draw_scene
from processing.report.regions import region_of


@pytest.mark.parametrize(
    ("lon", "lat", "region"),
    [
        (116.4, 39.9, "China"),
        (106.9, 47.9, "Asia"),
        (2.3, 48.9, "France"),
        (-56.1, -12.6, "Brazil"),
        (-52.3, 4.9, "South America"),
        (139.0, -34.9, "Oceania"),
        (-86.2, 39.8, "North America"),
        (85.0, 56.5, "Europe"),
        (-1.6, 45.2, "France"),
        (362.3, 48.9, "France"),
        (-140.0, -40.0, "at sea"),
    ],
)
def test_places_lie_in_their_regions(lon: float, lat: float, region: str) -> None:
    assert region_of(lon, lat) == region


def record(
    number: int, klass: str | None, rmse_px: float = 0.3, camera: str = "GF1WFV2", points: int = 60
) -> dict[str, Any]:
    """What the store keeps of a scene in France that is off by so much at every point."""
    angle = np.linspace(0, 2 * math.pi, points, endpoint=False)
    metres = 16 * rmse_px
    row, col = np.divmod(np.arange(points), 8)
    empty = {"points": 0, "rmse": None}
    cell = {"points": points // 9, "rmse": metres}
    geometry = {
        "reference": {"label": "r.tif (red)"},
        "model": "affine",
        "class": klass,
        "check_points": points,
        "accuracy_m": dict.fromkeys(
            ("rmse", "rmse_x", "rmse_y", "bias_x", "bias_y", "ce90", "median"),
            metres if points else None,
        ),
        "cells": [cell if points else empty] * 8 + [empty],
        "points": {
            "lon": (1.0 + 0.02 * col).tolist(),
            "lat": (45.0 - 0.01 * row).tolist(),
            "before_x_m": [160.0] * points,
            "before_y_m": [0.0] * points,
            "x_m": (metres * np.cos(angle)).tolist(),
            "y_m": (metres * np.sin(angle)).tolist(),
            "use": ["check"] * points,
        },
    }
    status = "done" if klass in ("0-0.8", None) else "rejected"
    return {
        "package": f"GF1_WFV2_E1.0_N45.0_2020061{number}_L1A000441830{number}",
        "version": "000001",
        "camera": camera,
        "time": "2020-06-18T10:44:12Z",
        "centre": [1.1, 45.2],
        "result": {"status": status},
        "geometry": None if klass is None else geometry,
    }


RECORDS = (
    record(1, "0-0.8"),
    record(2, "0-0.8"),
    record(3, "above 1.0", 1.3),
    record(4, "insufficient", points=0),
    record(5, None),
    record(6, "0.8-1.0", 0.9, camera="GF6WFV"),
)


def test_shares_are_those_of_the_scenes_that_were_compared() -> None:
    found = {(s.satellite, s.region): s for s in shares(read_scenes(RECORDS))}
    assert set(PUBLISHED) == set(found)
    ours = found["GF1", "France"]
    assert ours.compared == 4
    assert {str(k): v for k, v in ours.shares.items()} == {
        "0-0.8": 50.0,
        "0.8-1.0": 0.0,
        "above 1.0": 25.0,
        "insufficient": 25.0,
    }
    assert sum(ours.published.values()) == pytest.approx(100.0)
    assert found["GF6", "France"].shares["0.8-1.0"] == 100.0
    assert found["GF1", "China"].compared == 0
    assert not found["GF1", "China"].shares


def test_of_several_versions_of_a_scene_the_last_counts() -> None:
    again = record(3, "0-0.8") | {"version": "000002"}
    scenes = read_scenes((*RECORDS, again))
    assert len(scenes) == len(RECORDS)
    assert [scene.version for scene in scenes if scene.name == again["package"]] == ["000002"]


def _picture(scene: Scene) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_scene(scene))).convert("RGB")).astype(int)


def _count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture - np.array(colour)).sum(-1) < 6).sum())


def test_arrows_point_where_the_product_lies() -> None:
    """All points moved to the east: more ink to the right of the dots than to the left."""
    east = record(1, "0-0.8")
    east["geometry"]["points"] |= {"x_m": [8.0] * 60, "y_m": [0.0] * 60}
    (scene,) = read_scenes([east])
    blue = np.abs(_picture(scene) - np.array((22, 93, 178))).sum(-1) < 60
    columns = np.flatnonzero(blue[100:700, 40:740].any(0))
    turned = record(1, "0-0.8")
    turned["geometry"]["points"] |= {"x_m": [-8.0] * 60, "y_m": [0.0] * 60}
    (mirrored,) = read_scenes([turned])
    other = np.abs(_picture(mirrored) - np.array((22, 93, 178))).sum(-1) < 60
    assert columns.max() > np.flatnonzero(other[100:700, 40:740].any(0)).max() + 10


def test_cells_beyond_the_limit_are_red_and_empty_ones_grey() -> None:
    good, bad, none = (read_scenes([RECORDS[n]])[0] for n in (0, 2, 3))
    green, red, grey = (214, 235, 220), (248, 205, 196), (238, 241, 244)
    assert _count(_picture(good), green) > 8 * 5000 > 100 > _count(_picture(good), red)
    assert _count(_picture(bad), red) > 8 * 5000 > 100 > _count(_picture(bad), green)
    assert _count(_picture(none), grey) > 9 * 5000


def test_the_command_writes_table_page_and_pictures(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    for each in RECORDS:
        store.put_scene(f"{each['package']}.{each['version']}", each)
    out = tmp_path / "page"
    answer = CliRunner().invoke(
        app, ["report", "geometry", str(store.root), "--json", "--out", str(out)]
    )
    assert answer.exit_code == 0, answer.stderr
    told = json.loads(answer.stdout)
    (ours,) = (s for s in told["shares"] if (s["satellite"], s["region"]) == ("GF1", "France"))
    assert ours["percent"]["0-0.8"] == 50.0
    assert ours["published_percent"]["0-0.8"] == 91.1
    assert told["scenes"][2]["rmse_px"] == pytest.approx(1.3)
    assert told["scenes"][2]["before_px"] == pytest.approx(10.0)
    page = (out / "index.html").read_text()
    named = re.findall(r'src="([^"]+)"', page)
    assert sorted(named) == sorted(path.name for path in out.glob("*.png"))
    assert len(named) == 5
    assert "6 scenes, 5 of them compared with a reference; in 1 too few points" in page
    figures = ("91.1", "50.0", "7.0", "0.0", "1.9", "25.0", "25.0")
    cells = "".join(f"<td>{figure}</td>" for figure in figures)
    assert f'<td class="text">GF1</td><td class="text">France (4)</td>{cells}' in page
    for name in re.findall(r'<a href="#([^"]+)">', page):
        assert f'<h2 id="{name}">' in page


def test_the_command_shows_tables(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    empty = CliRunner().invoke(app, ["report", "geometry", str(store.root)])
    assert empty.exit_code == 1
    assert "holds no records of scenes" in str(empty.exception)
    store.put_scene("a", RECORDS[0])
    shown = CliRunner().invoke(app, ["report", "geometry", str(store.root)])
    assert shown.exit_code == 0
    assert "91.1" in shown.stderr
    assert "1 scene, 1 of them compared" in shown.stderr
