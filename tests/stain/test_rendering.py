from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, Her2Cutoffs, StainVectors
from lowpower.stain.cells._measure_field import StainScale
from lowpower.stain.cells._rendering import FEATURES, rendering_features, rendering_of
from lowpower.stain.rules._measure_grade import RayTable

from ._drawn_cells import WHITE, draw_cells

MPP = 0.5
VECTORS = StainVectors(RUIFROK_H, RUIFROK_DAB, "ruifrok", 0)


def _rendering(image: NDArray[np.uint8], mpp: float = MPP) -> float:
    return StainScale.of([image], WHITE, VECTORS, mpp).rendering


def _soft(image: NDArray[np.uint8], haze: float = 0.0) -> NDArray[np.uint8]:
    """Nuclei with a blurred edge, and stray light over everything."""
    light = cv2.GaussianBlur(image, (0, 0), 1.4).astype(np.float32)
    return np.asarray(light * (1 - haze) + WHITE * haze, np.float32).astype(np.uint8)


def test_blur_and_stray_light_leave_less_of_a_line() -> None:
    sharp = draw_cells().image
    assert _rendering(_soft(sharp)) < 0.9 * _rendering(sharp)
    assert _rendering(_soft(sharp, haze=0.35)) < _rendering(_soft(sharp))


def test_where_nothing_can_be_told_nothing_is_changed() -> None:
    glass = np.broadcast_to(WHITE.astype(np.uint8), (200, 200, 3)).copy()
    assert _rendering(glass) == 1.0
    assert _rendering(draw_cells().image, mpp=0.9) == 1.0
    assert rendering_of(rendering_features([], 0.1, MPP)) == 1.0


def test_features_have_their_names() -> None:
    field = np.full((64, 64), 0.2, np.float32)
    features = rendering_features([(field, field)], 0.1, MPP)
    assert features is not None
    assert features.shape == (len(FEATURES),)
    assert np.isfinite(features).all()


def test_the_same_membranes_behind_other_optics_have_the_same_grade() -> None:
    seen = np.full((3, 32), 0.8, np.float16)
    density = np.array([[0.15], [0.4], [0.7]]) * np.ones(32)
    body = np.zeros(3, np.float32)
    usual = RayTable(seen, density.astype(np.float16), body).graded(Her2Cutoffs())[2]
    pale = RayTable(seen, (density / 2).astype(np.float16), body, 0.5).graded(Her2Cutoffs())[2]
    assert usual.tolist() == pale.tolist() == [2, 2, 3]
    assert Her2Cutoffs().seen_through(1.0) == Her2Cutoffs()
    assert Her2Cutoffs().seen_through(0.25).least_od == pytest.approx(Her2Cutoffs().least_od / 2)
