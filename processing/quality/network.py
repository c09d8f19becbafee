"""Learned cloud and shadow probabilities: what a model is, and how an ONNX network is run.

A network sees square blocks that overlap by a fifth and are blended by a tapered cosine, so that
neither the size of a scene nor the place of a block shows in the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal.windows import tukey

from catalog.errors import MaskError
from catalog.grid import Grid
from processing.geometry.field import GroundField, averaged

Progress = Callable[[str, float], None]
Level = Literal["TOA", "SR"]
"""Reflectance at the top of the atmosphere, or at the surface."""

OVERLAP = 0.2
"""Share of a block that it has in common with the next one."""
FINEST = 0.75
"""Pixel size of a model, in pixels of the image, below which the image is too coarse for it."""
_TAPER_FLOOR = 1e-3
"""Least weight of a pixel in its block, so that the outermost rows of an image count too."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model wants, and what an item has to say about the model that made its mask.

    ``bands`` are the inputs by name, in order, reflectance at ``level``; ``resolution_m`` is the
    pixel size the model works at. ``sha256`` is that of its weights.
    """

    name: str
    version: str
    licence: str
    sha256: str
    resolution_m: float
    level: Level
    bands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Class probabilities, each float32 (rows, cols), 0-1, NaN = no data; the rest is clear."""

    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]


class MaskModel(Protocol):
    """A network from reflectance to probabilities of cloud and cloud shadow."""

    @property
    def card(self) -> ModelCard:
        """Name, version, licence, hash, resolution, level and bands."""
        ...

    def probabilities(
        self, image: NDArray[np.float32], progress: Progress | None = None
    ) -> Probabilities:
        """Classify an image.

        Parameters
        ----------
        image
            Reflectance (bands, rows, cols) float32, 0-1, NaN = no data, bands and level as on the
            card, pixels of ``card.resolution_m``.
        progress
            Called with a label and the share done, 0-1.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How reflectance becomes the input of a network, and its output probabilities.

    ``mean`` and ``std`` normalise each input channel, in reflectance; ``cloud`` and ``shadow``
    are the output channels that count as each, summed; ``activation`` is what the network leaves
    to do with its output; ``block`` is the side of a block in pixels.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    cloud: tuple[int, ...]
    shadow: tuple[int, ...]
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    block: int = 256


class OnnxModel:
    """A segmentation network in ONNX, (1, bands, n, n) float32 in, (1, classes, n, n) out.

    Parameters
    ----------
    weights
        The ``.onnx`` file.
    card
        What the network is; its bands are the input channels in order.
    recipe
        What to do before and after it.
    threads
        Threads of one call.

    Raises
    ------
    MaskError
        The file is no ONNX network, or its input or output are not as card and recipe say.
    """

    def __init__(self, weights: Path, card: ModelCard, recipe: Recipe, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Memory is returned after each scene instead of being kept for the largest block.
        options.enable_cpu_mem_arena = False
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(weights), sess_options=options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime's own errors share no base class below Exception.
        except Exception as error:
            raise MaskError(f"{weights}: not readable as an ONNX network: {error}") from error
        _check_ends(weights, self._session, card, recipe)
        self._input: str = self._session.get_inputs()[0].name
        self._recipe = recipe
        self._mean = np.asarray(recipe.mean, np.float32)[:, None, None]
        self._std = np.asarray(recipe.std, np.float32)[:, None, None]
        self._card = card

    @property
    def card(self) -> ModelCard:
        """Name, version, licence, hash, resolution, level and bands."""
        return self._card

    def probabilities(
        self, image: NDArray[np.float32], progress: Progress | None = None
    ) -> Probabilities:
        """Classify an image of any size; see :meth:`MaskModel.probabilities`.

        Blocks without a valid pixel are skipped. Inside the others pixels without data take the
        value of the nearest valid one, so that the edge of a scene is no edge for the network.
        """
        bands, rows, cols = image.shape
        if bands != len(self._card.bands):
            raise MaskError(
                f"{self._card.name} takes {len(self._card.bands)} bands "
                f"({', '.join(self._card.bands)}), got {bands}"
            )
        size = self._recipe.block
        valid = np.asarray(np.isfinite(image).all(axis=0))
        window = np.maximum(tukey(size, 2 * OVERLAP), _TAPER_FLOOR).astype(np.float32)
        row_starts, col_starts = _starts(rows, size), _starts(cols, size)
        total = np.zeros((2, rows, cols), np.float32)
        for done, (row, col) in enumerate(_corners(row_starts, col_starts)):
            block = np.s_[row : row + size, col : col + size]
            if valid[block].any():
                classes = self._run_block(image[:, *block], valid[block])
                height, width = valid[block].shape
                total[:, *block] += classes * window[:height, None] * window[:width]
            if progress is not None:
                progress("cloud network", (done + 1) / (len(row_starts) * len(col_starts)))
        total /= _weight_sum(row_starts, rows, window)[:, None]
        total /= _weight_sum(col_starts, cols, window)
        total[:, ~valid] = np.nan
        return Probabilities(cloud=total[0], shadow=total[1])

    def _run_block(
        self, image: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return cloud and shadow probabilities (2, rows, cols) of one block."""
        (rows, cols), size = valid.shape, self._recipe.block
        filled = _fill_from_nearest(image, valid)
        pad = ((0, 0), (0, size - rows), (0, size - cols))
        padded = np.pad(filled, pad, mode="symmetric").astype(np.float32, copy=False)
        block = (padded - self._mean) / self._std
        raw = self._session.run(None, {self._input: block[None]})[0][0]
        return _chances(raw[:, :rows, :cols], self._recipe)


def _chances(raw: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """Return probabilities of cloud and shadow (2, rows, cols) from what a network put out."""
    if recipe.activation == "softmax":
        odds = np.exp(raw - raw.max(axis=0))
        chances = odds / odds.sum(axis=0)
    elif recipe.activation == "sigmoid":
        chances = 1 / (1 + np.exp(-np.clip(raw, -30, 30)))
    else:
        chances = raw
    cloud, shadow = (chances[list(which)].sum(axis=0) for which in (recipe.cloud, recipe.shadow))
    return np.asarray(np.clip(np.stack((cloud, shadow)), 0, 1), np.float32)


def _check_ends(weights: Path, session: Any, card: ModelCard, recipe: Recipe) -> None:
    """Compare input and output of a network with what is said of it; free sizes fit anything."""
    wanted = {
        "input": (session.get_inputs()[0].shape, (1, len(card.bands), recipe.block, recipe.block)),
        "output": (
            session.get_outputs()[0].shape,
            (1, None, recipe.block, recipe.block),
        ),
    }
    for end, (seen, want) in wanted.items():
        fits = len(seen) == len(want) and all(
            not isinstance(a, int) or b is None or a == b for a, b in zip(seen, want, strict=True)
        )
        if not fits:
            shape = tuple("classes" if size is None else size for size in want)
            raise MaskError(f"{weights}: {end} of shape {tuple(seen)}, its card wants {shape}")
    classes = session.get_outputs()[0].shape[1]
    highest = max((*recipe.cloud, *recipe.shadow), default=0)
    if isinstance(classes, int) and highest >= classes:
        raise MaskError(f"{weights}: {classes} output classes, its card names number {highest}")


def see(
    model: MaskModel,
    image: NDArray[np.float32],
    bands: Sequence[str],
    grid: Grid,
    *,
    level: Level = "TOA",
    progress: Progress | None = None,
) -> Probabilities:
    """Let a model see an image: hand it the bands and the pixel size that it wants.

    Parameters
    ----------
    model
        The model.
    image
        Reflectance (bands, rows, cols) float32, 0-1, NaN = no data.
    bands
        Names of the bands of ``image``.
    grid
        Frame of ``image``.
    level
        What ``image`` holds.
    progress
        Called with a label and the share done, 0-1.

    Returns
    -------
    Probabilities
        On ``grid``; a model for coarser pixels sees means, and is interpolated.

    Raises
    ------
    MaskError
        The image lacks a band, is of another level, or has too large pixels for the model.
    """
    card = model.card
    missing = [band for band in card.bands if band not in bands]
    if missing:
        raise MaskError(
            f"{card.name} wants {', '.join(card.bands)}; of {', '.join(bands)} "
            f"there is no {', '.join(missing)}: choose a network for these bands"
        )
    if card.level != level:
        raise MaskError(f"{card.name} is made for {card.level} reflectance, the image is {level}")
    ratio = card.resolution_m / grid.resolution
    if ratio < FINEST:
        raise MaskError(
            f"{card.name} works at {card.resolution_m:g} m; the image has "
            f"{grid.resolution:g} m: choose a network for about that or more"
        )
    picked = image[[bands.index(band) for band in card.bands]]
    factor = round(ratio)
    if factor <= 1:
        return model.probabilities(picked, progress)
    seen = model.probabilities(averaged(picked, factor), progress)
    field = GroundField(grid.coarsen(factor), np.stack((seen.cloud, seen.shadow)))
    cloud, shadow = np.where(np.isfinite(picked).all(axis=0), field.on(grid), np.float32(np.nan))
    return Probabilities(cloud, shadow)


def _starts(length: int, size: int) -> list[int]:
    """Return where blocks begin along one axis; the last one ends with the image."""
    step = size - int(size * OVERLAP)
    last = max(length - size, 0)
    return [*range(0, last, step), last]


def _corners(row_starts: list[int], col_starts: list[int]) -> Iterator[tuple[int, int]]:
    return ((row, col) for row in row_starts for col in col_starts)


def _weight_sum(starts: list[int], length: int, window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of the blocks' weights along one axis, by which the blend is divided."""
    total = np.zeros(length, np.float32)
    for start in starts:
        part = total[start : start + window.size]
        part += window[: part.size]
    return total


def _fill_from_nearest(toa: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a copy in which pixels without data take the value of the nearest valid pixel."""
    if valid.all():
        return toa.copy()
    rows, cols = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    filled: NDArray[np.float32] = toa[:, rows, cols]
    return filled
