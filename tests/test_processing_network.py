"""The four-band network: held to the package that ships it, and seamless over blocks."""

import numpy as np
import pytest
from scipy import ndimage

from catalog.errors import MaskError
from processing.quality.models import load_model

BANDS = ["blue", "green", "red", "nir"]


def _sky(rows: int, cols: int) -> np.ndarray:
    """Return a rough landscape with bright rough clouds, (4, rows, cols) float32."""
    rng = np.random.default_rng(5)

    def rough() -> np.ndarray:
        layers = [ndimage.gaussian_filter(rng.normal(size=(rows, cols)), s) * s for s in (2, 8, 24)]
        field = np.sum(layers, axis=0)
        return (field - field.mean()) / field.std()

    ground = np.array([0.09, 0.08, 0.07, 0.28])[:, None, None] * (1 + 0.2 * rough())
    cover = np.clip(rough() - 0.6, 0, 1)
    return (ground * (1 - cover) + (0.55 + 0.05 * rough()) * cover).astype(np.float32)


def test_classes_agree_with_the_package_of_the_network() -> None:
    from ukis_csmask.mask import CSmask

    # The package pads by 51 pixels on the left and cuts blocks every 204: do the same here.
    image = _sky(300, 300)
    padded = np.pad(image, ((0, 0), (51, 109), (51, 109)), mode="symmetric")
    before = padded.copy()
    found = load_model().probabilities(padded)
    assert np.array_equal(padded, before)
    chances = np.stack([1 - found.cloud - found.shadow, found.cloud, found.shadow])
    ours = chances[:, 51:351, 51:351].argmax(axis=0)
    theirs = CSmask(
        img=np.ascontiguousarray(image.transpose(1, 2, 0)),
        band_order=BANDS,
        product_level="l1c",
        intra_op_num_threads=1,
        inter_op_num_threads=1,
        providers=["CPUExecutionProvider"],
    ).csm[..., 0]
    assert 0.05 < (theirs == 1).mean() < 0.95
    assert (ours == theirs).mean() > 0.999


def test_blocks_blend_without_a_seam() -> None:
    model = load_model()
    image = _sky(256, 460)
    whole = model.probabilities(image).cloud
    left = model.probabilities(image[:, :, :256]).cloud
    right = model.probabilities(image[:, :, 204:]).cloud
    assert np.allclose(whole[:, :204], left[:, :204], atol=1e-5)
    assert np.allclose(whole[:, 256:], right[:, 52:], atol=1e-5)
    pair = np.stack((left[:, 204:256], right[:, :52]))
    middle = whole[:, 204:256]
    assert (middle >= pair.min(axis=0) - 1e-5).all()
    assert (middle <= pair.max(axis=0) + 1e-5).all()


def test_no_data_stays_no_data_and_costs_nothing() -> None:
    image = _sky(70, 90)
    image[:, :30] = np.nan
    steps: list[float] = []
    found = load_model().probabilities(image, lambda _label, share: steps.append(share))
    assert np.array_equal(np.isnan(found.cloud), np.isnan(image[0]))
    assert np.nanmin(found.shadow) >= 0
    assert np.nanmax(found.cloud + found.shadow) <= 1 + 1e-5
    assert steps[-1] == 1
    nothing = load_model().probabilities(np.full((4, 300, 600), np.nan, np.float32))
    assert np.isnan(nothing.cloud).all()


def test_a_missing_band_is_named() -> None:
    with pytest.raises(MaskError, match=r"takes 4 bands .*got 3"):
        load_model().probabilities(np.zeros((3, 64, 64), np.float32))


def test_the_card_tells_where_the_mask_comes_from() -> None:
    card = load_model().card
    assert card.licence == "Apache-2.0"
    assert card.bands == tuple(BANDS)
    assert len(card.sha256) == 64
