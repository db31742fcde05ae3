from __future__ import annotations

import numpy as np
import pytest

from lowpower.scoring import Explanation
from lowpower.scoring.pictures._maps import joined_map, patch_map
from lowpower.units import Box, Mpp
from lowpower.views import View

CLASSES = ("0", "1+", "2+", "3+")


def view(width: int = 40, height: int = 20) -> View:
    """At 10 base pixels a pixel, from (100, 200) on; all tissue."""
    image = np.full((height, width, 3), 200, np.uint8)
    box = Box(100, 200, 10 * width, 10 * height)
    return View(image, np.ones((height, width), bool), box, Mpp(5.0), np.full(3, 255, np.float32))


def test_a_patch_is_painted_where_it_lies() -> None:
    coords = np.array([[100, 200], [200, 200], [250, 200]])
    attention = np.array([0.6, 0.3, 0.1])
    found = patch_map(view(), coords, 100, np.array([0.0, 3.0, 1.0]), CLASSES, attention)
    assert found.mask[:10, :25].all()
    assert not found.mask[10:].any()
    assert not found.mask[:, 25:].any()
    assert (found.scores[:10, :10] == 0).all()
    assert (found.scores[:10, 10:15] == 3).all()
    assert (found.scores[:10, 15:20] == 2).all(), "the mean where patches overlap"
    assert found.weights is not None
    assert found.weights[0, 0] == pytest.approx(0.9), "0.6 of 3 patches: 1.8 times the average, of twice"
    assert found.weights[0, 12] == pytest.approx(0.45)
    assert found.scores[15, 39] == 1, "elsewhere the nearest, for drawing"


def test_maps_of_other_grids_are_joined_by_weight_where_they_speak() -> None:
    ground = view()
    coarse = Explanation(np.full((2, 4), 3.0, np.float32), ground.mask, ground.box, CLASSES)
    left = np.zeros((20, 40), bool)
    left[:, :20] = True
    fine = Explanation(np.full((20, 40), 1.0, np.float32), left, ground.box, CLASSES)
    found = joined_map(ground, [coarse, fine], [0.25, 0.75])
    assert found is not None
    assert found.scores[5, 5] == pytest.approx(1.5)
    assert found.scores[5, 35] == pytest.approx(3.0)
    assert found.mask.all()
    unheard = joined_map(ground, [coarse, fine], [1e-9, 1 - 1e-9])
    assert unheard is not None
    assert not unheard.mask[:, 21:].any(), "a model without weight says nothing where it alone could"
    assert joined_map(ground, [], []) is None
