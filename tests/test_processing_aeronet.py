"""Sun photometers: the real file of a year, the Angstrom law, and matches with products."""

import gzip
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from catalog.errors import AtmosphereError
from catalog.folder import FolderStore
from processing.aeronet import Match, SunPhotometer, match_items, read_aeronet, report
from tests.catalog_products import GRID, facts, store_product

HEAD = "Date(dd:mm:yyyy),Time(hh:mm:ss),AOD_870nm,AOD_675nm,AOD_500nm,AOD_440nm"
HEAD += ",Site_Latitude(Degrees),Site_Longitude(Degrees)"


def _write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["AERONET Version 3;", "Here", "", HEAD, *rows]) + "\n")
    return path


def test_a_year_of_sao_paulo(test_data: Path) -> None:
    path = test_data / "atmosphere" / "aeronet_20160101_20161231_Sao_Paulo.lev20.gz"
    site = read_aeronet(path)
    assert (site.name, site.lat, site.lon) == ("Sao_Paulo", -23.5615, -46.734983)
    with gzip.open(path, "rt") as file:
        lines = file.read().splitlines()
    columns = lines[6].split(",")
    at = [columns.index(f"AOD_{nm}nm") for nm in (500, 675)]
    rows = [line.split(",") for line in lines[7:]]
    both = [(float(row[at[0]]), float(row[at[1]])) for row in rows if "-999" not in row[at[0]]]
    assert len(site.aod550) >= 4700
    ours, (blue, red) = np.median(site.aod550), np.median(np.array(both), 0)
    assert red < ours < blue
    assert datetime.fromtimestamp(site.seconds[0], UTC) == datetime(
        2016, 1, 5, 10, 13, 33, tzinfo=UTC
    )


def test_the_angstrom_law_is_exact(tmp_path: Path) -> None:
    depth = {nm: 0.3 * (nm / 550.0) ** -1.4 for nm in (870, 675, 500, 440)}
    told = ",".join(f"{depth[nm]:.9f}" for nm in (870, 675, 500, 440))
    missing = f"-999.,{depth[675]:.9f},-999.,{depth[440]:.9f}"
    path = _write(
        tmp_path / "a.lev20", f"25:07:2014,11:00:00,{told},44.25,0.55",
        f"25:07:2014,11:10:00,{missing},44.25,0.55",
        "25:07:2014,11:20:00,-999.,-999.,0.2,0.3,44.25,0.55",
    )  # fmt: skip
    site = read_aeronet(path)
    assert site.aod550 == pytest.approx([0.3, 0.3], rel=1e-6)
    at = datetime(2014, 7, 25, 11, 35, tzinfo=UTC)
    assert site.at(at) == pytest.approx(0.3)
    assert site.at(at + timedelta(minutes=10)) is None


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AtmosphereError, match="no optical depth around 550"):
        read_aeronet(_write(tmp_path / "b", "25:07:2014,11:20:00,-999.,-999.,0.2,0.3,44.2,0.5"))
    (tmp_path / "c").write_text("something else")
    with pytest.raises(AtmosphereError, match="begins with Date"):
        read_aeronet(tmp_path / "c")
    with pytest.raises(AtmosphereError, match="cannot be read"):
        read_aeronet(tmp_path / "d")
    (tmp_path / "e").write_bytes(gzip.compress(b"Date(" * 999)[:12] + bytes(40))
    with pytest.raises(AtmosphereError, match="cannot be read"):
        read_aeronet(tmp_path / "e")


@pytest.mark.parametrize(
    "line", ["25:07:2014,11:2", "25:07:2014,late,0.1,0.1,0.2,0.3,44.2,0.5", "a,b,c,d,e,f,g,h"]
)
def test_a_line_that_is_cut_off_is_said(tmp_path: Path, line: str) -> None:
    good = "25:07:2014,11:20:00,0.1,0.1,0.2,0.3,44.2,0.5"
    with pytest.raises(AtmosphereError, match="a line is cut off"):
        read_aeronet(_write(tmp_path / "b", good, line))


def test_products_over_a_site_are_matched(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store_product(store, facts())
    west, south, east, north = GRID.bounds
    to_degrees = Transformer.from_crs(GRID.epsg, 4326, always_xy=True)
    lon, lat = to_degrees.transform((west + east) / 2, (south + north) / 2)
    now = facts().id.time
    here = SunPhotometer("here", lon, lat, np.array([now.timestamp() + 900]), np.array([0.2]))
    late = SunPhotometer("late", lon, lat, np.array([now.timestamp() + 9000]), np.array([0.2]))
    away = SunPhotometer("away", lon + 5, lat, here.seconds, here.aod550)
    store_product(store, facts(version="000124"))  # made at the same time, of a later name
    (match,) = match_items(store, [here, late, away])
    assert match.item.endswith(".000124")
    assert (match.site, match.measured, match.sigma) == ("here", 0.2, None)
    assert match.ours == pytest.approx(0.25, abs=0.02)  # counts of the test's product: 1 to 5000


def test_the_report_counts_what_is_inside() -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    pairs = [(0.1, 0.12, 0.03), (0.2, 0.33, 0.05), (0.5, 0.5, 0.05), (1.0, 1.24, 0.5)]
    found = report([Match("i", "s", now, a, b, sigma) for a, b, sigma in pairs])
    assert (found.matches, found.expected, found.dark_target) == (4, 50.0, 75.0)
    assert found.one_sigma == 75.0
    assert found.bias == pytest.approx((0.02 + 0.13 + 0.24) / 4)
    assert found.rmse == pytest.approx(math.sqrt((0.02**2 + 0.13**2 + 0.24**2) / 4))
    assert found.correlation > 0.98
    assert report([]).matches == 0
