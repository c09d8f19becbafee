"""What is expected of the ground before it is seen."""

from dataclasses import dataclass

from processing.atmosphere.lut import Float32Array


@dataclass(frozen=True, slots=True)
class Expectation:
    """Surface reflectance expected on the cells of a scene, at its geometry.

    ``kind`` says where it comes from ("library", "history"); ``reflectance`` and its ``sigma``
    are float32 (bands, rows, cols), NaN where nothing is known.
    """

    kind: str
    reflectance: Float32Array
    sigma: Float32Array
