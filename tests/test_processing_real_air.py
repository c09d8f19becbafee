"""Surface reflectance of a real image against two published solutions of it."""

from pathlib import Path

import pytest

from tests.sentinel2_air import against_two_solutions


@pytest.mark.integration
def test_reflectance_lies_between_icor_and_smac(test_data: Path) -> None:
    found, air = against_two_solutions(test_data / "ac_reference")
    assert (air.aod, air.sza) == (0.14, 44.0)
    assert min(found.inside.values()) >= 95.0
    # The two differ by 0.006 in blue and near infrared from each other.
    assert max(map(abs, found.bias.values())) < 0.008
