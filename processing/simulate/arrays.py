"""The array type that the modules of the simulator share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Floating-point numbers; docstrings say what they mean and their shape."""
