"""Network and rules together: how likely each pixel is cloud.

Among broken clouds the network is the better judge; in overcast surroundings it spreads cloud
over the gaps, and the haze above clear ground tells them apart. With the share ``c`` of cloud that
the network sees within 4 km,

    log-odds = (1 - g) network + g haze,    g = 0 up to c = 0.4, 1 from c = 0.8

and where snow can lie a white pixel has the network's word alone, which must then be surer.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.quality import rules
from processing.quality.network import Level, Probabilities
from processing.quality.snow import POSSIBLE, white

NETWORK_WEIGHT = 0.6
"""The network is surer than it is right: its log-odds count this much."""
NETWORK_LIMIT = 5.0
"""Log-odds of the network beyond which it counts as no surer."""
AROUND = 257
"""Pixels of about 30 m along one side of what counts as the surroundings: 8 km."""
OVERCAST = (0.4, 0.8)
"""Share of cloud around at which haze begins to count, and from which it alone counts."""
BROKEN_WEIGHT = 0.3
"""Weight of haze beside the network among broken clouds."""
BROKEN_DOUBT = 0.5
"""Log-odds by which haze must there speak for cloud before it does not speak against it."""
PLAIN_HOT = 0.04
"""HOT beyond an even chance from which a pixel is cloud even if the network denies it."""
SURELY_CLEAR = 0.05
"""Probability of cloud below which a pixel tells the haze of clear ground."""
TOLD = 0.02
"""Share of such pixels around that weighs as much as what is usual."""
SR_RIMS = 5.0
"""Log-odds added to what a network sees of cloud in surface reflectance: it misses their rims."""
SNOW_DOUBT = 3.0
"""The network's log-odds of cloud at which white is as likely cloud as snow."""
SNOW_SWAY = 2.0
"""How far those log-odds go up from no chance of snow to certainty."""


def cloud_odds(
    toa: NDArray[np.float32],
    snow_chance: NDArray[np.float32],
    seen: Probabilities | None,
    unsure: NDArray[np.bool_] | None = None,
    level: Level = "TOA",
) -> NDArray[np.float32]:
    """Return the log-odds of cloud.

    Parameters
    ----------
    toa
        TOA reflectance of blue, green, red and near infrared, (4, rows, cols) float32, NaN = no
        data, pixels of about 30 m.
    snow_chance
        Chance of snow on the ground, 0-1, (rows, cols) float32.
    seen
        What the network found; None goes by rules alone, and over white pixels by the season.
    unsure
        (rows, cols), pixels in whose colour the network is not trusted to see a cloud.
    level
        Reflectance that the network saw.

    Returns
    -------
    ndarray of float32
        (rows, cols), NaN = no data.
    """
    if seen is None:
        network = np.full(snow_chance.shape, SNOW_DOUBT, np.float32)
        odds = rules.cloud_evidence(toa)
    else:
        network = _log_odds(seen.cloud) + np.float32(SR_RIMS if level == "SR" else 0)
        if unsure is not None:
            network[unsure] = np.minimum(network[unsure], 0)
        odds = _weighed(toa, seen, network)
    snowy = white(toa) & (snow_chance >= POSSIBLE)
    doubt = SNOW_DOUBT + SNOW_SWAY * (snow_chance[snowy] - np.float32(0.5))
    odds[snowy] = NETWORK_WEIGHT * (network[snowy] - doubt)
    return odds


def _weighed(
    toa: NDArray[np.float32], seen: Probabilities, network: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the log-odds of cloud by the network and by haze, weighed by the cloud around."""
    valid = np.isfinite(seen.cloud)
    around = np.maximum(_around(valid), np.float32(1e-6))
    share = _around(np.where(valid, seen.cloud, 0)) / around
    low, high = OVERCAST
    overcast = np.clip((share - np.float32(low)) / np.float32(high - low), 0, 1)
    haze = rules.cloud_evidence(toa, _clear_hot(toa, seen, around))
    plain = np.maximum(haze - np.float32(rules.HOT_WEIGHT * PLAIN_HOT), 0)
    told = np.float32(NETWORK_WEIGHT) * np.clip(network, -NETWORK_LIMIT, NETWORK_LIMIT)
    told += np.minimum(BROKEN_WEIGHT * haze - BROKEN_DOUBT, 1) + plain
    return np.asarray((1 - overcast) * told + overcast * haze, np.float32)


def _clear_hot(
    toa: NDArray[np.float32], seen: Probabilities, around: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the HOT of clear ground around each pixel, the usual one where none is in sight."""
    clear = (seen.cloud < SURELY_CLEAR) & (seen.shadow < 0.5)
    told = np.clip(rules.hot(toa), -0.06, 0.06)
    total = _around(np.where(clear, told, 0)) / around
    share = _around(clear) / around
    usual, weight = np.float32(rules.CLEAR_HOT), np.float32(TOLD)
    return np.asarray((total + weight * usual) / (share + weight), np.float32)


def _around(values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the mean over the surroundings of each pixel, nothing beyond the edge."""
    return np.asarray(
        ndimage.uniform_filter(values.astype(np.float32), AROUND, mode="constant"), np.float32
    )


def _log_odds(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-odds of a probability, within about 9 either way, NaN kept."""
    inside = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)
