"""A real stereo pair: both images, drawn on the relief, must lie on each other.

Pleiades images of Mont Ventoux (CNES, from shareloc) look at the ground from two sides, so what
is wrong with the heights pulls them apart.
"""

from pathlib import Path

from tests.stereo_pair import apart_m, on_relief, without_geoid


def test_the_pair_meets_on_the_relief(test_data: Path) -> None:
    geoid = test_data / "dem" / "egm96_15_geoid.tif"
    assert apart_m(test_data / "rpc", on_relief(test_data, geoid)) < 4.0
    assert apart_m(test_data / "rpc", on_relief(test_data)) < 4.0  # the installed grid


def test_without_the_geoid_it_does_not(test_data: Path, tmp_path: Path) -> None:
    assert apart_m(test_data / "rpc", without_geoid(test_data, tmp_path)) > 10.0
