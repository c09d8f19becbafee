"""Run 6SV for the scenes that come with the package: ``python -m processing.simulate.make_table``.

Needs the extra ``simulate``; the table is written anew, a few minutes on two cores.
"""

import sys
import tempfile
from pathlib import Path

from processing.simulate.demo import demo_specs, sample_specs
from processing.simulate.scene import sky_queries
from processing.simulate.sixs import TABLE, skies, write_table


def main() -> None:
    """Write the table that comes with the package."""
    queries = [query for spec in demo_specs() + sample_specs() for query in sky_queries(spec)]
    with tempfile.TemporaryDirectory() as folder:
        found = skies(
            queries, Path(folder) / "runs.json", lambda done: _tell(f"\r{100 * done:3.0f} %")
        )
    write_table(TABLE, {q.key(): sky for q, sky in zip(queries, found, strict=True)})
    _tell(f"\n{len(queries)} runs in {TABLE}\n")


def _tell(text: str) -> None:
    sys.stderr.write(text)


if __name__ == "__main__":
    main()
