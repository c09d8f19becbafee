"""A real stereo pair on the relief: what heights and geoid leave between its images."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rows.row import Row, at_least, at_most
from tests.stereo_pair import apart_m, on_relief, without_geoid


def stereo_rows(data: Path | None) -> Iterator[Row]:
    """Measure the pair below ``GFARD_TEST_DATA`` with the geoid and, to fail, without."""
    if data is None:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the images"
        yield Row("stereo_pair_apart", None, "m", 4.0, skipped=reason)
        return
    yield at_most("stereo_pair_apart", apart_m(data / "rpc", on_relief(data)), "m", 4.0)
    with tempfile.TemporaryDirectory() as folder:
        apart = apart_m(data / "rpc", without_geoid(data, Path(folder)))
    yield at_least("stereo_pair_apart_without_geoid", apart, "m", 4.0)
