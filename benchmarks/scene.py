"""One scene from package to products: CPU seconds by step, wall time and peak memory.

The scene is simulated, then processed by ``gfard process`` in a process of its own, so that
the peak is that of production alone. ``--full`` takes a full GF-1 scene (12000 x 13400 pixels
of four bands, 1.3 GB of counts, ten minutes to simulate), else one of the demonstration's.
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

from processing.simulate.demo import demo_specs
from processing.simulate.scene import SceneSpec, simulate

FULL_COLS, FULL_ROWS = 12000, 13400
MEMORY_BAR_GB = {False: 2.0, True: 8.0}
"""Peak memory, GB: for the demonstration's scene and for a full one."""


def scene(full: bool) -> SceneSpec:
    """Return the scene to process."""
    small = demo_specs()[0]
    if not full:
        return small
    return replace(small, rows=FULL_ROWS, cols=FULL_COLS, product_id="0009999999")


def process(package: Path, dem: Path, folder: Path) -> tuple[dict[str, object], float]:
    """Process a package by command; return its result and the peak memory in GB."""
    command = [
        *(sys.executable, "-m", "infra.cli", "process", str(package)),
        *("--store", str(folder / "store"), "--dem", str(dem), "--json"),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    result: dict[str, object] = json.loads(done.stdout)
    return result, peak


def rows(full: bool) -> list[dict[str, object]]:
    """Simulate, process and return what was measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulated = simulate(scene(full), folder)
        result, peak = process(simulated.package, simulated.truth / "dem.tif", folder)
    if result["status"] != "done":
        raise SystemExit(f"the scene ended as {result['status']}: {result['detail']}")
    title = "full_scene" if full else "scene"
    bar = MEMORY_BAR_GB[full]
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
    parser.add_argument("--full", action="store_true", help="a full GF-1 scene")
    arguments = parser.parse_args()
    found = rows(arguments.full)
    for row in found:
        text = f"{row['name']:28} {row['value']:10.2f} {row['unit']}"
        print(json.dumps(row) if arguments.json else text)
    sys.exit(any(row["ok"] is False for row in found))


if __name__ == "__main__":
    main()
