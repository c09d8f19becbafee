"""One scene from package to products: CPU seconds by step, wall time and peak memory.

The scene is simulated, then processed by ``gfard process`` in a process of its own, so that
the peak is that of production alone. ``--full`` takes a full GF-1 scene (12000 x 13400 pixels
of four bands, 1.3 GB of counts, ten minutes to simulate), ``--gf6`` a full GF-6 scene of made
texture (three images of 17797 x 22416 pixels of eight bands, 19 GB of counts, over an hour),
else one of the demonstration's. ``--keep`` keeps what was simulated in a folder, and takes it from
there when it runs again.
Run with ``python -P benchmarks/scene.py``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.rows.whole_gf6 import write_package
from processing.simulate.demo import demo_specs
from processing.simulate.scene import simulate

FULL_COLS, FULL_ROWS = 12000, 13400
MEMORY_BAR_GB = {"scene": 2.0, "full_scene": 8.0, "full_gf6_scene": 12.0}
"""Peak memory, GB: for the demonstration's scene and for full ones."""


def made(title: str, folder: Path) -> tuple[Path, Path | None]:
    """Make the scene to process, unless the folder has it; return its package and heights."""
    folder.mkdir(parents=True, exist_ok=True)
    if title == "full_gf6_scene":
        known = next(folder.glob("*/*.xml"), None)  # written last
        return write_package(folder) if known is None else known.parent, None
    for record in folder.glob("*.truth/truth.json"):
        truth = record.parent
        return truth.with_suffix(".tar.gz"), truth / "dem.tif"
    spec = demo_specs()[0]
    if title == "full_scene":
        spec = replace(spec, rows=FULL_ROWS, cols=FULL_COLS, product_id="0009999999")
    simulated = simulate(spec, folder)
    return simulated.package, simulated.truth / "dem.tif"


def process(package: Path, dem: Path | None, folder: Path) -> tuple[dict[str, object], float]:
    """Process a package by command; return its result and the peak memory in GB."""
    command = [
        *(sys.executable, "-m", "infra.cli", "process", str(package)),
        *("--store", str(folder / "store"), "--json"),
        *(() if dem is None else ("--dem", str(dem))),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    result: dict[str, object] = json.loads(done.stdout)
    return result, peak


def rows(title: str, keep: Path | None) -> list[dict[str, object]]:
    """Simulate, process and return what was measured; ``keep`` is a folder for the scene."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package, dem = made(title, folder / "scene" if keep is None else keep / title)
        result, peak = process(package, dem, folder)
    if result["status"] != "done":
        raise SystemExit(f"the scene ended as {result['status']}: {result['detail']}")
    bar = MEMORY_BAR_GB[title]
    measured: list[dict[str, object]] = [
        {"name": f"{title}_{step}", "value": value, "unit": "s" if step == "wall" else "CPU s"}
        for step, value in dict(result["timings"]).items()  # type: ignore[call-overload]
    ]
    memory = {"name": f"{title}_peak_memory", "value": round(peak, 3), "unit": "GB", "bar": bar}
    return [{**row, "bar": None, "ok": None} for row in measured] + [{**memory, "ok": peak <= bar}]


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object a line")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="a full GF-1 scene")
    size.add_argument("--gf6", action="store_true", help="a full GF-6 scene")
    parser.add_argument("--keep", type=Path, help="folder that keeps what was simulated")
    arguments = parser.parse_args()
    title = "full_gf6_scene" if arguments.gf6 else "full_scene" if arguments.full else "scene"
    found = rows(title, arguments.keep)
    for row in found:
        text = f"{row['name']:28} {row['value']:10.2f} {row['unit']}"
        print(json.dumps(row) if arguments.json else text)
    sys.exit(any(row["ok"] is False for row in found))


if __name__ == "__main__":
    main()
