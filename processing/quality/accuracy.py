"""Accuracy of a classification against the truth: counts of pixels, and figures from them.

Figures are those of remote sensing: overall accuracy and kappa (Cohen 1960, Educ. Psychol. Meas.
20, 37-46), user's and producer's accuracy, F1 and intersection over union of each class
(Congalton 1991, RSE 37, 35-46), and the boundary F score (Csurka et al. 2013, BMVC), which sees
the edges that area figures hide. A figure without pixels to rest on is NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

IGNORED = 255
"""Index of a true class that says: this pixel is not judged."""
BOUNDARY_PIXELS = 2.0
"""Distance in pixels up to which two boundaries count as the same."""

_CROSS = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Numbers of pixels by true class (rows) and found class (columns), int64 (n, n)."""

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.uint8], found: NDArray[np.uint8], classes: int) -> "Confusion":
        """Count two label arrays of the same shape.

        Parameters
        ----------
        truth
            Index of the true class, 0 to ``classes`` - 1, or ``IGNORED``.
        found
            Index of the found class, 0 to ``classes`` - 1 wherever the truth is judged.
        classes
            Number of classes.
        """
        judged = truth != IGNORED
        pairs = truth[judged].astype(np.int64) * classes + found[judged]
        return cls(np.bincount(pairs, minlength=classes**2).reshape(classes, classes))

    def __add__(self, other: "Confusion") -> "Confusion":
        """Pool two counts of the same classes."""
        return Confusion(self.counts + other.counts)

    def one_against_rest(self, index: int) -> "Confusion":
        """Return counts of two classes: 0 for class ``index``, 1 for all others together."""
        hits = self.counts[index, index]
        missed = self.counts[index].sum() - hits
        false = self.counts[:, index].sum() - hits
        rest = self.counts.sum() - hits - missed - false
        return Confusion(np.array([[hits, missed], [false, rest]], np.int64))

    @property
    def overall(self) -> float:
        """Share of pixels in their true class, 0-1."""
        return _ratio(np.trace(self.counts), self.counts.sum())

    @property
    def kappa(self) -> float:
        """Agreement beyond what the class shares alone would give, at most 1."""
        total = float(self.counts.sum())
        chance = float(self.counts.sum(axis=0) @ self.counts.sum(axis=1))
        return _ratio(total * np.trace(self.counts) - chance, total**2 - chance)

    def users(self, index: int) -> float:
        """Share of the pixels found as a class that belong to it, 0-1."""
        return _ratio(self.counts[index, index], self.counts[:, index].sum())

    def producers(self, index: int) -> float:
        """Share of the pixels of a class that were found, 0-1."""
        return _ratio(self.counts[index, index], self.counts[index].sum())

    def f1(self, index: int) -> float:
        """Harmonic mean of user's and producer's accuracy, 0-1."""
        both = self.counts[index].sum() + self.counts[:, index].sum()
        return _ratio(2 * self.counts[index, index], both)

    def iou(self, index: int) -> float:
        """Intersection over union of found and true pixels, 0-1."""
        hits = self.counts[index, index]
        return _ratio(hits, self.counts[index].sum() + self.counts[:, index].sum() - hits)

    def false_share(self, index: int) -> float:
        """Share of the pixels of all other classes that were found as this one, 0-1."""
        others = np.delete(self.counts, index, axis=0)
        return _ratio(others[:, index].sum(), others.sum())

    def balanced(self, index: int) -> float:
        """Mean of the shares of a class that was found and of the rest that was spared, 0-1."""
        return (self.producers(index) + 1 - self.false_share(index)) / 2


def boundary_f(
    truth: NDArray[np.bool_],
    found: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    tolerance: float = BOUNDARY_PIXELS,
) -> float:
    """Return the F score of the boundary of a class, 0-1.

    Precision is the share of the found boundary that lies within ``tolerance`` of the true one,
    recall that of the true boundary near the found one. The edge of the image is no boundary.

    Parameters
    ----------
    truth, found
        Pixels of the class, bool (rows, cols).
    judged
        Pixels whose truth is known, bool (rows, cols).
    tolerance
        Distance in pixels.

    Returns
    -------
    float
        0 where only one of the two has a boundary, NaN where neither has.
    """
    true_edge, found_edge = _boundary(truth, judged), _boundary(found, judged)
    total = np.count_nonzero(true_edge) + np.count_nonzero(found_edge)
    if total == 0:
        return float("nan")
    if not (true_edge.any() and found_edge.any()):
        return 0.0
    precision = float((_distance(true_edge)[found_edge] <= tolerance).mean())
    recall = float((_distance(found_edge)[true_edge] <= tolerance).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _boundary(mask: NDArray[np.bool_], judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a judged neighbour outside it."""
    outside = ndimage.binary_dilation(judged & ~mask, _CROSS)
    return np.asarray(judged & mask & outside)


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each pixel to the nearest of a mask, pixels."""
    return np.asarray(ndimage.distance_transform_edt(~mask), np.float64)


def _ratio(part: float, whole: float) -> float:
    """Return a share as a plain number, NaN of nothing."""
    return float(part) / float(whole) if whole else float("nan")
