"""What the look at a scene gathers for the corrections that are made on request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.sky import Sky
from processing.blocks import Block
from processing.geometry.angles import AngleField
from processing.geometry.dem import HeightModel
from processing.quality.mask import SceneQuality
from processing.relief import Relief, SlopePixels
from processing.sensors import Camera
from processing.settings import ProcessSettings
from processing.surround import CoarseScene, Surroundings


@dataclass(frozen=True, slots=True)
class Gathered:
    """The scene as the options need it; None of what was not asked for."""

    coarse: CoarseScene | None
    slopes: SlopePixels | None

    @classmethod
    def by(cls, settings: ProcessSettings, grid: Grid, camera: Camera) -> Self:
        """Return what is yet to be filled for the options, over the grid of the look."""
        return cls(
            CoarseScene.empty(grid, len(camera.bands)) if settings.adjacency else None,
            SlopePixels(grid) if settings.terrain_correction != "none" else None,
        )

    def put(
        self,
        block: Block,
        toa: NDArray[np.float32],
        quality: SceneQuality,
        heights: HeightModel,
        directions: AngleField,
    ) -> None:
        """Put in a block of the scene; parameters as in `SlopePixels.draw`."""
        if self.coarse is not None:
            self.coarse.put(block, toa, quality.classes)
        if self.slopes is not None:
            self.slopes.draw(block, toa, quality, heights, directions)

    def found(
        self, sky: Sky, camera: Camera, progress: Callable[[str], None]
    ) -> tuple[Surroundings | None, Relief | None]:
        """Return the surroundings and the light on slopes as the options need them."""
        around, relief = None, None
        if self.coarse is not None:
            progress("averaging the surroundings")
            around = Surroundings.of(self.coarse, sky)
        if self.slopes is not None:
            progress("fitting the light on slopes")
            names = [band.name for band in camera.bands]
            relief = Relief.of(self.slopes, sky, around, names)
        return around, relief
