"""Air bubbles on drawn tissue: found with their area; round things that are none are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.tissue.test_quality import flag, look

from lowpower.tissue import LAYERS, measurable, quality_map

MPP = 4.0
BLUE = np.array((0.65, 0.70, 0.29), np.float32)
BROWN = np.array((0.38, 0.57, 0.73), np.float32)
GREY = np.array((0.58, 0.57, 0.58), np.float32)


def drawn(
    *, bubble: tuple[int, int, int] | None = None, rim: float = 0.4, glands: bool = False, fat: bool = False
) -> NDArray[np.uint8]:
    """A piece of tissue, 2.4 x 1.6 mm on glass, with what is asked for; lengths in pixels of 4 um."""
    rng = np.random.default_rng(4)
    shape = (600, 800)
    inside = np.zeros(shape, np.float32)
    cv2.rectangle(inside, (100, 100), (700, 500), 1.0, -1)
    blue = inside * (0.08 + 0.25 * (rng.random(shape) < 0.15)).astype(np.float32)
    brown, grey = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    places = [(x, y) for y in range(150, 480, 70) for x in range(150, 680, 70)]
    for number, (x, y) in enumerate(places if glands else ()):
        plane = (blue, brown)[number % 2]
        outline = ((x, y), (24, 19), 20 * number, 0, 360)
        cv2.ellipse(blue, *outline, 0.0, -1)
        cv2.ellipse(plane, *outline, 0.5, 5)
    for _ in range(600 if fat else 0):
        x, y = int(rng.integers(110, 400)), int(rng.integers(110, 490))
        cv2.circle(blue, (x, y), 8, 0.0, -1)
        cv2.circle(blue, (x, y), 8, 0.12, 1)
    if bubble is not None:
        cv2.circle(grey, bubble[:2], bubble[2], rim, 3)
    od = np.multiply.outer(cv2.GaussianBlur(blue, (0, 0), 0.5), BLUE)
    od += np.multiply.outer(brown, BROWN) + np.multiply.outer(cv2.GaussianBlur(grey, (0, 0), 0.5), GREY)
    return np.clip(236 * 10.0**-od + rng.normal(0, 1, (*shape, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("glands", [False, True])
@pytest.mark.parametrize("bubble", [(400, 300, 90), (120, 300, 60), (700, 480, 30)])
def test_a_bubble_is_found_where_it_lies_and_left_out_of_measurement(
    bubble: tuple[int, int, int], glands: bool
) -> None:
    tissue = look(drawn(bubble=bubble, glands=glands), MPP)
    disc = np.zeros(tissue.mask.shape, np.uint8)
    scale = tissue.mask.shape[1] / 800
    cv2.circle(disc, tuple(round(v * scale) for v in bubble[:2]), round(bubble[2] * scale), 1, -1)
    under = (disc > 0) & tissue.mask
    found = flag(tissue, "bubble")
    assert found.area_mm2 == pytest.approx(under.sum() * tissue.mpp**2 / 1e6, rel=0.15)
    assert found.box is not None
    assert found.effect == ("warn" if under.sum() >= 0.01 * tissue.mask.sum() else "note")
    assert measurable(tissue).sum() == pytest.approx((tissue.mask & ~under).sum(), rel=0.02)
    assert "Air bubble, left out" in {layer.name for layer, _ in quality_map(tissue).legend}


def lobed(centre: tuple[int, int], radius: int) -> NDArray[np.int32]:
    """An outline that is no circle, pixels."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    length = radius * (1 + 0.16 * np.cos(2 * angle + 0.4) + 0.07 * np.sin(3 * angle))
    return np.stack([centre[0] + length * np.cos(angle), centre[1] + length * np.sin(angle)], axis=1).astype(
        np.int32
    )


@pytest.mark.parametrize("place", [(400, 300), (0, 540), (790, 40), (430, 0), (50, 300)])
def test_a_bubble_of_grey_air_that_is_not_round_or_reaches_over_the_edge(place: tuple[int, int]) -> None:
    image = drawn().astype(np.float32)
    outline = lobed(place, 85)
    inside = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [outline], 1) > 0
    image[inside] = 220 + np.random.default_rng(1).normal(0, 1.5, (np.count_nonzero(inside), 3))
    rim = cv2.polylines(np.zeros(image.shape[:2], np.uint8), [outline], True, 1, 2) > 0
    image[rim] *= 0.4
    tissue = look(np.clip(image, 0, 255).astype(np.uint8), MPP)
    bubble = tissue.labels == [layer.code for layer in LAYERS].index("bubble")
    near = cv2.dilate((inside | rim).view(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert bubble[inside].mean() > 0.95
    assert not bubble[~near].any()
    assert tissue.mask[inside].mean() < 0.02
    assert "air bubbles of" in flag(tissue, "bubble").message


@pytest.mark.parametrize("turn", range(4))
def test_glands_and_fat_are_no_bubbles_whichever_way_they_lie(turn: int) -> None:
    image = np.ascontiguousarray(np.rot90(drawn(glands=True, fat=True), turn))
    tissue = look(image, MPP)
    assert not {"bubble", "out_of_focus"} & {found.code for found in tissue.qc.flags}
    assert (measurable(tissue) == tissue.mask).all()
