"""Cloud shadows: the word of a network, weighed against the geometry of sun, view and clouds.

In log-odds, so that no single witness decides: the network speaks for or against shadow; the
place where the shadow of a cloud must fall speaks for it, ground that no cloud can reach against,
the more the fewer clouds there are. Shadows of clouds beyond the edge of the image are known by
what they have in common with those inside: they are as dark.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.quality.cloudbase import Rays
from processing.quality.darkness import DARKENING, light_loss, share_lost
from processing.quality.shadowcast import Shadows, match_shadows

NETWORK_WEIGHT, NETWORK_LIMIT = 0.6, 5.0
"""The network is surer than it is right: its log-odds count this much, and no more than these."""
NETWORK_ODDS = 2.0
"""The network's odds of shadow must exceed this: it finds shadow too readily."""
NO_NETWORK = -0.8
"""Log-odds of shadow on dark ground without a network."""
CAST, CAST_DARK = 1.0, 3.5
"""Log-odds for shadow where geometry puts the shadow of a cloud, and where that is as dark as the
shadows of the scene: then no network can deny it."""
OUT_OF_REACH = 2.0
"""Log-odds against shadow where no cloud, seen or beyond the edge, can cast one."""
LIKE_WATER = 0.5
"""Log-odds against shadow on what looks like water away from where geometry puts shadows."""
USUAL_COVER = 0.2
"""Share of clouds at which a network expects shadows as often as they are."""
LEAST_COVER = 1e-3
"""Share of clouds that is thought possible where none is seen."""
AS_DARK = 0.9
"""Share of the light that shadows of the scene lack which ground as dark as they lacks."""
TOO_BRIGHT = 2.0
"""Log-odds against a network's shadow on ground that lacks no light, less where it lacks some,
none where it is as dark as the shadows of the scene."""
GROWTH_PIXELS, GROWTH_LOST = 6, 0.25
"""How far a shadow grows into ground that lacks this share of light: no cloud is as flat as the
sheet that is displaced, and its thin edge casts a thin shadow."""
WATER_IN_SHADOW = 0.5
"""Share of what looks like one water that must lie in a matched shadow to be shadow itself."""
MATCH_MARGIN = 3
"""Pixels around a matched shadow in which water may truly be shadow."""
_BLOCK = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Ground:
    """What shadows fall on, all (rows, cols).

    ``nir`` is TOA reflectance in the near infrared, float32, NaN = no data. ``valid`` has data,
    ``cloud`` hides the ground, ``snow`` and ``water`` look like them, ``sure_water`` looks like no
    land in shadow, ``dim`` lies in the shadow of relief; all bool.
    """

    nir: NDArray[np.float32]
    valid: NDArray[np.bool_]
    cloud: NDArray[np.bool_]
    snow: NDArray[np.bool_]
    water: NDArray[np.bool_]
    sure_water: NDArray[np.bool_]
    dim: NDArray[np.bool_]

    @property
    def land(self) -> NDArray[np.bool_]:
        """Ground in sight on which darkness tells of shadow."""
        return self.valid & ~(self.snow | self.water | self.dim | self.cloud)

    @property
    def cover(self) -> float:
        """Share of clouds among valid pixels, 0-1."""
        return float(np.count_nonzero(self.cloud & self.valid) / max(self.valid.sum(), 1))


@dataclass(frozen=True, slots=True)
class ShadowFound:
    """Probability of cloud shadow, and where its cloud is not seen, both (rows, cols).

    ``probability`` is float32, 0-1, NaN = no data; ``unseen_cloud`` is bool, ground that only a
    cloud which is not seen can darken.
    """

    probability: NDArray[np.float32]
    unseen_cloud: NDArray[np.bool_]


def find_shadow(
    found: NDArray[np.float32] | None, ground: Ground, rays: Rays | None
) -> ShadowFound:
    """Find cloud shadow: what a network says, weighed against geometry.

    Ground no darker than its surroundings is no shadow unless geometry alone puts one there;
    ground in the shadow of relief is left to that, and what is surely water is water.

    Parameters
    ----------
    found
        Probability of shadow by a network, float32 (rows, cols), NaN = no data; None without one.
    ground
        What shadows fall on.
    rays
        Displacement of shadows; None where sun and view are unknown, then the network decides.
    """
    land = ground.land
    told = np.full(ground.nir.shape, NO_NETWORK, np.float32) if found is None else _told(found)
    clear = land if found is None else land & (told < NO_NETWORK)
    loss = light_loss(ground.nir, clear)
    dark = loss > DARKENING
    if rays is None:
        never = ~dark | ground.dim | ground.sure_water
        return _found(told, never, np.zeros_like(dark), ground)
    lost = share_lost(ground.nir, loss)
    sight = land | ((told > 0) & ~ground.dim)
    shadows = match_shadows(ground.cloud, lost, sight, ground.valid, rays)
    shaded = _mostly(ground.water, shadows.matched)
    onto = land | (shaded & ~ground.cloud)
    enough = _enough(lost, shadows.matched & onto & dark)
    as_dark = lost > enough
    cast = _cast_on(shadows, onto, as_dark)
    cast = _completed(cast, dark, lost, onto) if found is None else cast & dark
    odds = told + _by_geometry(shadows, cast, as_dark, ground)
    if found is not None and np.isfinite(enough):
        odds -= TOO_BRIGHT * np.maximum(1 - lost / enough, 0)
    never = ~(dark | cast) | ground.dim | (ground.sure_water & ~shaded)
    return _found(odds, never, ~shadows.in_reach, ground)


def _found(
    odds: NDArray[np.float32],
    never: NDArray[np.bool_],
    unseen_cloud: NDArray[np.bool_],
    ground: Ground,
) -> ShadowFound:
    """Return log-odds as probabilities, none where shadow can ``never`` be."""
    chance = np.where(never, np.float32(0), 1 / (1 + np.exp(-odds)))
    return ShadowFound(
        np.where(ground.valid, chance, np.float32(np.nan)), unseen_cloud & ground.valid
    )


def _told(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-odds of shadow by the word of a network, NaN kept."""
    inside = np.clip(found, 1e-4, 1 - 1e-4)
    odds = np.log(inside / (np.float32(NETWORK_ODDS) * (1 - inside)))
    return np.asarray(NETWORK_WEIGHT * np.clip(odds, -NETWORK_LIMIT, NETWORK_LIMIT), np.float32)


def _enough(lost: NDArray[np.float32], matched: NDArray[np.bool_]) -> np.float32:
    """Return the share of light that ground as dark as the matched shadows lacks.

    Infinite where none is matched: nothing is as dark as they.
    """
    return np.float32(AS_DARK * np.median(lost[matched]) if matched.any() else np.inf)


def _cast_on(
    shadows: Shadows, onto: NDArray[np.bool_], as_dark: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the shadows of clouds in sight and of those beyond the edge of the image.

    What a cloud beyond the edge can reach is its shadow where it is as dark as the shadows of
    the clouds in sight; dark woods are not.
    """
    cast = shadows.matched & onto
    from_beyond = shadows.beyond & onto & as_dark
    if from_beyond.any():
        cast |= ndimage.binary_opening(from_beyond, _BLOCK)
    return cast


def _completed(
    cast: NDArray[np.bool_],
    dark: NDArray[np.bool_],
    lost: NDArray[np.float32],
    onto: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return shadows with the dark ground that touches them; a network draws rims better."""
    start = cast | (grown(cast, 1) & dark & onto)
    reach = start | ((lost > GROWTH_LOST) & onto)
    return np.asarray(ndimage.binary_dilation(start, _BLOCK, GROWTH_PIXELS, mask=reach))


def _by_geometry(
    shadows: Shadows, cast: NDArray[np.bool_], as_dark: NDArray[np.bool_], ground: Ground
) -> NDArray[np.float32]:
    """Return the log-odds of shadow that geometry adds to the word of a network.

    Where only a cloud that is not seen can cast a shadow, shadow is as rare as clouds are.
    """
    cover = np.clip(ground.cover, LEAST_COVER, USUAL_COVER)
    rarer = np.log(cover / (1 - cover)) - np.log(USUAL_COVER / (1 - USUAL_COVER))
    odds = np.where(shadows.in_reach, np.float32(0), np.float32(rarer))
    odds[~(shadows.in_reach | shadows.beyond)] -= OUT_OF_REACH
    odds[cast] = CAST
    odds[cast & as_dark & shadows.matched] = CAST_DARK
    odds[ground.water & ~grown(shadows.matched, MATCH_MARGIN)] -= LIKE_WATER
    return odds


def _mostly(water: NDArray[np.bool_], matched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what looks like water and lies for the most part where a shadow must.

    Bare soil in deep shadow has the colour of a lake; a lake goes on beyond the shadow.
    """
    bodies, count = ndimage.label(water, _BLOCK)
    if count == 0:
        return water
    extent = np.bincount(bodies.ravel())
    inside = np.bincount(bodies.ravel(), matched.ravel()) > extent * WATER_IN_SHADOW
    inside[0] = False
    return np.asarray(inside[bodies])


def grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return a mask with the pixels up to ``pixels`` away along rows and columns."""
    import cv2

    side = 2 * pixels + 1
    near = cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8))
    return near.view(np.bool_)
