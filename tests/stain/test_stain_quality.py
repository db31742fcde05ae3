"""The stain's own quality: what is refused, what is doubted, what is fine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import immunohistochemistry
from tests.tissue.tissue_truth import CORES, core_image, imprint

from lowpower.stain import RUIFROK_DAB, RUIFROK_E, RUIFROK_H, stain_quality, to_rgb
from lowpower.tissue import tissue_mask

WHITE = (240.0, 240.0, 240.0)


def codes(image: NDArray[np.uint8], white: tuple[float, ...] = WHITE) -> list[tuple[str, str]]:
    flags = stain_quality(image, np.ones(image.shape[:2], bool), white)
    return [(flag.code, flag.effect) for flag in flags]


def stained(hematoxylin: float, dab: float, eosin: float = 0.0) -> NDArray[np.uint8]:
    """Nuclei of haematoxylin, DAB and eosin everywhere."""
    rng = np.random.default_rng(0)
    nuclei = (rng.random((120, 120)) < 0.3).astype(np.float32)
    od = np.multiply.outer(hematoxylin * (0.15 + nuclei), RUIFROK_H)
    od += np.multiply.outer(dab * rng.uniform(0.7, 1.3, nuclei.shape), RUIFROK_DAB)
    return to_rgb(od + np.multiply.outer(eosin * rng.uniform(0.7, 1.3, nuclei.shape), RUIFROK_E), WHITE)


def test_good_stain_has_no_flag() -> None:
    assert codes(stained(0.4, 0.0)) == []
    assert codes(immunohistochemistry()) == []


@pytest.mark.parametrize("core", CORES)
def test_real_cores_have_no_flag(real_cores: Path, core: str) -> None:
    image = core_image(real_cores, core, 8.0)
    found = tissue_mask(image, 8.0)
    assert stain_quality(image, imprint(found.mask, image.shape), found.white_point) == ()


def test_what_is_no_brightfield_ihc_refuses() -> None:
    grey = np.repeat(stained(0.4, 0.3).mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert codes(grey) == [("greyscale", "refuse")]
    assert codes((stained(0.4, 0.3) // 12).astype(np.uint8)) == [("dark_field", "refuse")]
    assert codes(stained(0.3, 0.0, eosin=0.5)) == [("unexpected_stain", "refuse")]


def test_weak_brown_all_over_and_clipped_are_doubted() -> None:
    assert codes(stained(0.02, 0.0)) == [("weak_stain", "warn")]
    assert codes(stained(0.4, 0.3)) == [("high_background", "warn")]
    clipped = stained(0.4, 0.0)
    clipped[:12, :, 2] = 0
    assert codes(clipped) == [("clipped", "warn")]
