from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage.data import immunohistochemistry
from tests.tissue.tissue_truth import CORES, core_image, imprint

from lowpower.slides import open_slide
from lowpower.stain import (
    RUIFROK_DAB,
    RUIFROK_E,
    RUIFROK_H,
    estimate_stains,
    looks_like,
    optical_density,
    to_rgb,
    unit_vector,
    unmix,
)
from lowpower.tissue import tissue_mask

white_points = st.tuples(*[st.floats(150, 255)] * 3)


def degrees(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


@given(hnp.arrays(np.uint8, (5, 4, 3), elements=st.integers(1, 255)), white_points)
def test_density_and_colour_are_inverse(image: NDArray[np.uint8], white: tuple[float, ...]) -> None:
    density = optical_density(image, white)
    assert density.dtype == np.float32
    np.testing.assert_array_equal(to_rgb(density, white), image)


def test_density_is_the_logarithm_of_transmission() -> None:
    density = optical_density(np.array([[24, 240, 0]], np.uint8), (240, 240, 100))
    np.testing.assert_allclose(density, [[1.0, 0.0, 2.0]], atol=1e-6)


@given(
    hnp.arrays(np.float64, (6, 2), elements=st.floats(0, 2)),
    st.sampled_from([(RUIFROK_H, RUIFROK_DAB), (RUIFROK_H, RUIFROK_E)]),
)
def test_unmixing_undoes_mixing(
    amounts: NDArray[np.float64], stains: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    matrix = np.stack(stains)
    np.testing.assert_allclose(unmix(amounts @ matrix, matrix), amounts, atol=1e-4)


def test_stains_that_are_one_cannot_be_unmixed() -> None:
    with pytest.raises(ValueError, match="independent"):
        unmix(np.zeros((2, 3)), [RUIFROK_H, RUIFROK_H])


@given(st.floats(-6, 6), st.floats(-6, 6), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_slides_own_vectors_are_found(turn_h: float, turn_d: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = [_turned(RUIFROK_H, turn_h), _turned(RUIFROK_DAB, turn_d)]
    amounts = rng.exponential(0.3, (20_000, 2)) * (rng.random((20_000, 2)) < 0.6)
    found = estimate_stains(amounts @ np.stack(truth) + rng.normal(0, 0.004, (20_000, 3)))
    assert found.source == "measured"
    assert degrees(found.hematoxylin, truth[0]) < 4
    assert degrees(found.dab, truth[1]) < 4


def _turned(vector: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
    across = np.cross(vector, [1.0, 0.0, 0.0])
    return unit_vector(vector + np.tan(np.radians(angle)) * across / np.linalg.norm(across))


def test_one_stain_alone_leaves_the_other_to_the_book() -> None:
    amounts = np.random.default_rng(0).exponential(0.4, (5000, 1))
    blue = estimate_stains(amounts * RUIFROK_H)
    assert blue.source == "hematoxylin measured"
    np.testing.assert_array_equal(blue.dab, RUIFROK_DAB)
    assert estimate_stains(np.zeros((50, 3))).source == "ruifrok"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("mpp", [2.0, 8.0])
def test_no_real_her2_core_looks_like_h_and_e(real_cores: Path, core: str, mpp: float) -> None:
    image = core_image(real_cores, core, mpp)
    found = tissue_mask(image, mpp)
    look = looks_like(image, imprint(found.mask, image.shape), found.white_point)
    assert look.kind == "h-dab", look.why


@pytest.mark.parametrize(
    ("name", "given"), [("cmu-1-small-region.svs", None), ("tcga-cr-7395-01a-01-ts1.svs", 0.25)]
)
@pytest.mark.parametrize("mpp", [2.0, 8.0])
def test_real_h_and_e_looks_like_h_and_e(
    real_slides: Path, name: str, given: float | None, mpp: float
) -> None:
    with open_slide(real_slides / name, given) as slide:
        image = slide.overview(mpp)
    found = tissue_mask(image, mpp)
    look = looks_like(image, imprint(found.mask, image.shape), found.white_point)
    assert look.kind == "h-e", look.why
    assert "magenta" in look.why


def test_brown_colon_is_not_h_and_e_whatever_the_tint() -> None:
    image = immunohistochemistry()
    everything = np.ones(image.shape[:2], bool)
    for tint in ((1.0, 1.0, 1.0), (0.93, 1.0, 1.0), (1.0, 0.95, 1.0), (1.0, 1.0, 0.92)):
        tinted = np.clip(image * np.array(tint), 0, 255).astype(np.uint8)
        white = np.array([236, 236, 234]) * tint
        assert looks_like(tinted, everything, white).kind == "h-dab"


def test_grey_is_unclear() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(60, 240, (50, 50, 1)), 3, axis=2).astype(np.uint8)
    assert looks_like(grey, np.ones((50, 50), bool), (240, 240, 240)).kind == "unclear"
    assert looks_like(grey, np.zeros((50, 50), bool), (240, 240, 240)).kind == "unclear"


def test_blue_alone_is_h_dab() -> None:
    amounts = np.abs(cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (80, 80)), (0, 0), 1.5))
    image = to_rgb(amounts[..., None] * RUIFROK_H, (240, 240, 242))
    assert looks_like(image, np.ones((80, 80), bool), (240, 240, 242)).kind == "h-dab"
