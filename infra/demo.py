"""The demonstration: simulated packages with known truth become ARD, compared and published."""

import multiprocessing
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import GfardError
from processing.compare import Row
from processing.result import SceneResult, Status

if TYPE_CHECKING:
    from catalog.folder import FolderStore

VERSION = "DEMO01"
"""Processing version in the names of the demonstration's products."""
REFERENCE_TIME = datetime(2022, 9, 25, 10, 50, tzinfo=UTC)
"""When the images were taken that the scenes are matched with: another season than theirs."""

Progress = Callable[[str, str, float], None]
"""Called with a scene's name, its present step, and the share done (0 to 1)."""

_steps: Any = None


@dataclass(frozen=True, slots=True)
class DemoScene:
    """One scene of the demonstration: its result, and each item's rows against the truth."""

    result: SceneResult
    rows: Mapping[str, list[Row]]

    @property
    def ok(self) -> bool:
        """Whether the scene was made and no bar was missed."""
        rows = [row for item in self.rows.values() for row in item]
        return self.result.status is Status.DONE and all(row.ok is not False for row in rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the scene as plain JSON values."""
        truth = {item: [row.to_dict() for row in rows] for item, rows in self.rows.items()}
        return {**self.result.to_dict(), "truth": truth, "ok": self.ok}


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demonstration made, and how it compares with the truth."""

    scenes: tuple[DemoScene, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every scene was made and no bar was missed."""
        return all(scene.ok for scene in self.scenes)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "scenes": [scene.to_dict() for scene in self.scenes],
        }


def run_demo(folder: Path, store: "FolderStore", progress: Progress) -> DemoReport:
    """Simulate the demonstration's scenes under ``folder``, process and compare them.

    Two scenes are worked on at a time, each in a process of its own.

    Parameters
    ----------
    folder
        Where packages and truth are kept.
    store
        Where the products go.
    progress
        Called as the scenes advance.
    """
    from processing.simulate.demo import demo_specs

    start = time.monotonic()
    context = multiprocessing.get_context("spawn")
    steps = context.Queue()
    with ProcessPoolExecutor(2, context, _connect, (steps,)) as pool:
        pending = {
            pool.submit(_one, index, folder, store.root) for index in range(len(demo_specs()))
        }
        scenes = _collect(pending, steps, progress)
    scenes.sort(key=lambda scene: scene.result.package)
    return DemoReport(tuple(scenes), time.monotonic() - start)


def _connect(steps: Any) -> None:
    """Give a worker process the queue on which it tells its steps."""
    global _steps
    _steps = steps


def _collect(pending: set[Future[DemoScene]], steps: Any, progress: Progress) -> list[DemoScene]:
    """Pass steps on until every scene has ended."""
    scenes: list[DemoScene] = []
    while pending:
        done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
        scenes.extend(future.result() for future in done)
        while True:
            try:
                progress(*steps.get_nowait())
            except queue.Empty:
                break
    return scenes


def _one(index: int, folder: Path, store_root: Path) -> DemoScene:
    """Simulate, process and compare one scene (in a worker process)."""
    from catalog.folder import FolderStore
    from processing.compare import compare
    from processing.pipeline import produce
    from processing.settings import ProcessSettings
    from processing.simulate.demo import demo_specs
    from processing.simulate.reference import write_reference
    from processing.simulate.scene import simulate

    spec = demo_specs()[index]
    simulated = simulate(
        spec, folder, lambda step, share: _steps.put((spec.name, step, 0.3 * share))
    )
    _steps.put((spec.name, "reference", 0.3))
    reference = write_reference(spec, REFERENCE_TIME, folder / f"{spec.name}.reference.tif")
    store = FolderStore(store_root)
    shares = iter(0.3 + 0.1 * step for step in range(1, 7))
    result = produce(
        simulated.package,
        store=store,
        settings=ProcessSettings(version=VERSION),
        dem=simulated.truth / "dem.tif",
        reference=reference,
        progress=lambda step: _steps.put((spec.name, step, next(shares, 0.9))),
    )
    if result.status is Status.FAILED:
        raise GfardError(f"{simulated.package.name}: {result.detail}")
    rows = {item: compare(_files(store, item), simulated.truth) for item in result.items}
    _steps.put((spec.name, result.status.value, 1.0))
    return DemoScene(result, rows)


def _files(store: "FolderStore", item: str) -> dict[str, Path]:
    """Return the data files of a stored item by asset key."""
    from catalog.product import ItemId, asset_specs
    from catalog.store import relative_folder

    identity = ItemId.parse(item)
    folder = store.root / relative_folder(identity)
    return {
        spec.key: folder / identity.file_name(spec.key) for spec in asset_specs(identity.satellite)
    }
