"""Learned cloud and shadow probabilities: the model protocol and the four-band default network.

The default is the four-band TOA network of ``ukis-csmask`` (Apache-2.0): a U-Net over an
EfficientNet-B4 encoder, trained on Landsat and Sentinel-2 at about 30 m. It is run at that
resolution in blocks of 256 x 256 that overlap by a fifth and are blended by a tapered cosine.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal.windows import tukey

from catalog.errors import ProductError

Progress = Callable[[str, float], None]

OVERLAP = 0.2
"""Share of a block that it has in common with the next one."""
_TAPER_FLOOR = 1e-3
"""Least weight of a pixel in its block, so that the outermost rows of an image count too."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What an item has to say about the model that made its mask.

    ``bands`` are the inputs by name, in order; ``resolution_m`` the pixel size it works at.
    """

    name: str
    version: str
    licence: str
    sha256: str
    resolution_m: float
    bands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Class probabilities, each float32 (rows, cols), 0-1, NaN = no data; the rest is clear."""

    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]


class MaskModel(Protocol):
    """A network from TOA reflectance to probabilities of cloud and cloud shadow."""

    @property
    def card(self) -> ModelCard:
        """Name, version, licence, hash, resolution and bands."""
        ...

    def probabilities(
        self, toa: NDArray[np.float32], progress: Progress | None = None
    ) -> Probabilities:
        """Classify an image.

        Parameters
        ----------
        toa
            TOA reflectance (bands, rows, cols) float32, 0-1, NaN = no data, bands as on the card,
            pixels of ``card.resolution_m``.
        progress
            Called with a label and the share done, 0-1.
        """
        ...


class OnnxModel:
    """A segmentation network in ONNX with fixed square input and logits (1, classes, n, n).

    Parameters
    ----------
    weights
        The ``.onnx`` file.
    card
        What the network is; its bands are the input channels in order.
    mean, std
        Normalisation of each input channel, in reflectance.
    classes
        Output channels of cloud and of shadow.
    threads
        Threads of one call.
    """

    def __init__(
        self,
        weights: Path,
        card: ModelCard,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        classes: tuple[int, int] = (1, 2),
        threads: int = 1,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Memory is returned after each scene instead of being kept for the largest block.
        options.enable_cpu_mem_arena = False
        self._session: Any = onnxruntime.InferenceSession(
            str(weights), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0]
        self._mean = np.asarray(mean, np.float32)[:, None, None]
        self._std = np.asarray(std, np.float32)[:, None, None]
        self._classes = classes
        self._card = card

    @property
    def card(self) -> ModelCard:
        """Name, version, licence, hash, resolution and bands."""
        return self._card

    def probabilities(
        self, toa: NDArray[np.float32], progress: Progress | None = None
    ) -> Probabilities:
        """Classify an image of any size; see :meth:`MaskModel.probabilities`.

        Blocks without a valid pixel are skipped. Inside the others pixels without data take the
        value of the nearest valid one, so that the edge of a scene is no edge for the network.
        """
        bands, rows, cols = toa.shape
        if bands != len(self._card.bands):
            raise ProductError(
                f"{self._card.name} takes {len(self._card.bands)} bands "
                f"({', '.join(self._card.bands)}), got {bands}"
            )
        size = int(self._input.shape[-1])
        valid = np.asarray(np.isfinite(toa).all(axis=0))
        window = np.maximum(tukey(size, 2 * OVERLAP), _TAPER_FLOOR).astype(np.float32)
        row_starts, col_starts = _starts(rows, size), _starts(cols, size)
        total = np.zeros((2, rows, cols), np.float32)
        for done, (row, col) in enumerate(_corners(row_starts, col_starts)):
            block = np.s_[row : row + size, col : col + size]
            if valid[block].any():
                classes = self._run_block(toa[:, *block], valid[block], size)
                height, width = valid[block].shape
                total[:, *block] += classes * window[:height, None] * window[:width]
            if progress is not None:
                progress("cloud network", (done + 1) / (len(row_starts) * len(col_starts)))
        total /= _weight_sum(row_starts, rows, window)[:, None]
        total /= _weight_sum(col_starts, cols, window)
        total[:, ~valid] = np.nan
        return Probabilities(cloud=total[0], shadow=total[1])

    def _run_block(
        self, toa: NDArray[np.float32], valid: NDArray[np.bool_], size: int
    ) -> NDArray[np.float32]:
        """Return cloud and shadow probabilities (2, rows, cols) of one block."""
        rows, cols = valid.shape
        filled = _fill_from_nearest(toa, valid)
        pad = ((0, 0), (0, size - rows), (0, size - cols))
        padded = np.pad(filled, pad, mode="symmetric").astype(np.float32, copy=False)
        block = (padded - self._mean) / self._std
        logits = self._session.run(None, {self._input.name: block[None]})[0][0]
        odds = np.exp(logits - logits.max(axis=0))
        chosen: NDArray[np.float32] = odds[list(self._classes)] / odds.sum(axis=0)
        return chosen[:, :rows, :cols]


@lru_cache(maxsize=1)
def default_model() -> OnnxModel:
    """Return the four-band TOA network of ``ukis-csmask``, loaded once per process."""
    package = resources.files("ukis_csmask")
    with resources.as_file(package / "model_4b_l1c.onnx") as weights:
        meta = json.loads((package / "model_4b_l1c.json").read_text())
        mean, std = meta["data"]["dataset_statistics"]["img"]
        card = ModelCard(
            name="ukis-csmask",
            version=meta["model"]["version"],
            licence="Apache-2.0",
            sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
            resolution_m=30.0,
            bands=tuple(meta["data"]["dataset_statistics"]["band_names"]),
        )
        return OnnxModel(weights, card, tuple(mean), tuple(std))


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
