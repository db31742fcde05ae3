"""The stain's own quality: what is refused, what is doubted, what is fine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import immunohistochemistry
from tests.tissue.tissue_truth import CORES, core_image, imprint

from lowpower.slides import open_slide
from lowpower.stain import RUIFROK_DAB, RUIFROK_E, RUIFROK_H, StainVectors, clipping, stain_quality, to_rgb
from lowpower.stain.vectors._stain_faults import vector_quality
from lowpower.tissue import find_tissue, tissue_mask

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


def test_weak_and_brown_all_over_are_doubted() -> None:
    assert codes(stained(0.02, 0.0)) == [("weak_stain", "warn")]
    assert codes(stained(0.4, 0.3)) == [("high_background", "warn")]


@pytest.mark.parametrize(
    ("value", "share", "expected"),
    [
        (0, 0.01, []),
        (0, 0.024, [("clipped", "warn")]),
        (0, 0.6, [("clipped", "refuse")]),
        (255, 0.04, []),
        (255, 0.06, [("overexposed", "warn")]),
    ],
)
def test_clipping_is_judged_in_base_pixels_by_the_table(
    tmp_path: Path, value: int, share: float, expected: list[tuple[str, str]]
) -> None:
    image = np.full((700, 700, 3), 240, np.uint8)
    image[100:600, 100:600] = stained(0.4, 0.2).repeat(5, axis=0).repeat(5, axis=1)[:500, :500]
    image[100:600, 100:600, 2][np.random.default_rng(1).random((500, 500)) < share] = value
    cv2.imwrite(str(tmp_path / "slide.png"), np.ascontiguousarray(image[..., ::-1]))
    tissue = np.zeros((700, 700), bool)
    tissue[100:600, 100:600] = True
    with open_slide(tmp_path / "slide.png", mpp=0.5) as slide:
        flags = clipping(slide, find_tissue(slide, mask=tissue))
    assert [(flag.code, flag.effect) for flag in flags] == expected


def test_stains_too_alike_to_be_told_apart_are_warned_of() -> None:
    def apart(degrees: float) -> StainVectors:
        turned = RUIFROK_DAB - (RUIFROK_DAB @ RUIFROK_H) * RUIFROK_H
        turned = turned / np.linalg.norm(turned)
        angle = np.radians(degrees)
        dab = np.asarray(np.cos(angle) * RUIFROK_H + np.sin(angle) * turned, np.float32)
        return StainVectors(RUIFROK_H, dab, "measured", 1000)

    assert vector_quality(apart(30)) == ()
    (flag,) = vector_quality(apart(20))
    assert (flag.code, flag.effect) == ("alike_stains", "warn")
    assert "20 degrees apart" in flag.message
