"""Folds: tissue of double density with a straight edge is marked, dark glands are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.tissue import find_tissue, quality_map
from lowpower.tissue.find import look_at

from .tissue_truth import CORES, core_image

MPP = 2.0
GLASS = np.array([240.0, 239.0, 243.0])


def _tissue(dark: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """Tissue of blue nuclei, of double density where `dark` is set, with glass around it."""
    rng = np.random.default_rng(seed)
    height, width = dark.shape
    nuclei = cv2.GaussianBlur((rng.random((height, width)) < 0.03).astype(np.float32), (0, 0), 1.5)
    amount = (0.09 + 1.0 * nuclei) * (1 + dark)
    amount[:80] = amount[-80:] = amount[:, :80] = amount[:, -80:] = 0
    noisy = GLASS * 10 ** -(amount[..., None] * [0.9, 0.7, 0.35]) + rng.normal(0, 1, (height, width, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _drawn(points: list[tuple[int, int]] | None = None, radius: int = 0) -> NDArray[np.uint8]:
    dark = np.zeros((600, 700), np.uint8)
    if points is not None:
        cv2.fillPoly(dark, [np.array(points, np.int32)], 1)
    elif radius:
        cv2.circle(dark, (350, 300), radius, 1, -1)
    return dark


def test_a_fold_is_marked_and_its_tissue_kept() -> None:
    fold = _drawn([(200, 200), (420, 230), (300, 290)])
    look = look_at(_tissue(fold), MPP)
    shape = look.folds.shape[::-1]
    truth = cv2.resize(fold, shape, interpolation=cv2.INTER_NEAREST) > 0
    assert look.folds[truth].mean() > 0.6
    assert look.folds[~truth].mean() < 0.01
    assert look.found.mask[truth].all()


def test_what_is_round_and_dark_is_no_fold() -> None:
    assert not look_at(_tissue(_drawn()), MPP).folds.any()
    assert not look_at(_tissue(_drawn(radius=40)), MPP).folds.any()


def test_it_is_said_with_its_area(tmp_path) -> None:
    image = _tissue(_drawn([(200, 200), (420, 230), (300, 290)]))
    cv2.imwrite(str(tmp_path / "fold.png"), image[..., ::-1])
    tissue = find_tissue(tmp_path / "fold.png", mpp=MPP)
    (flag,) = (flag for flag in tissue.qc.flags if flag.code == "fold")
    assert flag.effect == "warn"
    assert flag.area_mm2 == pytest.approx(0.035, rel=0.4)
    assert "Fold" in {layer.name for layer, _ in quality_map(tissue).legend}


@pytest.mark.parametrize("core", CORES)
def test_no_real_core_has_one(real_cores, core: str) -> None:
    assert not look_at(core_image(real_cores, core, MPP), MPP).folds.any()
