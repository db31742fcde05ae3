"""Blocks and strips that no scanner saw, of any colour and outline, beside drawn tissue."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.tissue.test_mask import bare, coded, stroma
from tests.tissue.test_quality import flag, look
from tests.tissue.tissue_truth import jpeg, slide_truth

from lowpower.slides import open_slide
from lowpower.tissue import LAYERS, find_tissue, quality_map, tissue_mask

SHAPE = (500, 700)
COLOURS = [(235, 235, 235), (175, 175, 175), (37, 90, 200), (20, 20, 24), (150, 60, 40), (251, 251, 251)]
MPP = 4.0
TISSUE = np.zeros(SHAPE, bool)
"""A piece with a ragged outline: tissue does not end in straight lines."""
for place, axes, turn in (
    ((200, 190), (120, 70), 20),
    ((120, 130), (60, 45), 70),
    ((290, 240), (50, 30), 140),
):
    TISSUE |= cv2.ellipse(np.zeros(SHAPE, np.uint8), place, axes, turn, 0, 360, 1, -1) > 0


def outline(shape: str) -> NDArray[np.bool_]:
    """A block over the lower half, of the shape asked for."""
    drawn = np.zeros(SHAPE, np.uint8)
    corners = {
        "rectangle": [(0, 260), (699, 260), (699, 499), (0, 499)],
        "corner": [(450, 0), (699, 0), (699, 499), (600, 499), (600, 300), (450, 300)],
        "hourglass": [(380, 40), (680, 40), (545, 250), (680, 460), (380, 460), (515, 250)],
    }[shape]
    cv2.fillPoly(drawn, [np.array(corners, np.int32)], 1)
    return drawn > 0


def slide(
    block: NDArray[np.bool_], colour: tuple[int, int, int], quality: int | None = 85
) -> NDArray[np.uint8]:
    image = bare(*SHAPE)
    image[TISSUE] *= stroma(*SHAPE)[TISSUE]
    image[block] = colour
    return coded(image) if quality is None else jpeg(coded(image), quality)


@pytest.mark.parametrize("shape", ["rectangle", "corner", "hourglass"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_block_of_one_colour_is_not_tissue_and_has_its_area(
    shape: str, colour: tuple[int, int, int]
) -> None:
    block = outline(shape)
    tissue = look(slide(block, colour), MPP)
    kept = TISSUE & ~cv2.dilate(block.view(np.uint8), np.ones((17, 17), np.uint8)).astype(bool)
    within = cv2.erode(block.view(np.uint8), np.ones((17, 17), np.uint8), borderValue=1) > 0  # JPEG's squares
    assert not tissue.mask[within].any()
    assert tissue.mask[kept].mean() > 0.95
    assert tissue.mask[~kept & ~block].mean() < 0.03
    found = flag(tissue, "unscanned")
    assert found.area_mm2 == pytest.approx(block.sum() * MPP**2 / 1e6, rel=0.06)
    assert "unscanned block" in found.message
    assert "Not scanned" in {layer.name for layer, _ in quality_map(tissue).legend}
    np.testing.assert_allclose(tissue.white_point, [235, 234, 244], atol=2)


@pytest.mark.parametrize("colour", [(0, 0, 0), (120, 120, 120), (60, 140, 60)])
@pytest.mark.parametrize(("across", "quality"), [(3, None), (9, None), (20, 90)])
def test_a_strip_without_data_is_not_tissue(
    colour: tuple[int, int, int], across: int, quality: int | None
) -> None:
    strip = np.zeros(SHAPE, bool)
    strip[:, 400 : 400 + across] = True
    strip[380 : 380 + across] = True
    tissue = look(slide(strip, colour, quality), MPP)
    assert tissue.mask[~TISSUE].mean() < 0.01
    area = sum(found.area_mm2 or 0 for found in tissue.qc.flags if found.code in ("unscanned", "padding"))
    assert area == pytest.approx(strip.sum() * MPP**2 / 1e6, rel=0.9)


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_glass_that_coding_has_made_even_is_still_glass(quality: int) -> None:
    found = tissue_mask(slide(np.zeros(SHAPE, bool), (0, 0, 0), quality), MPP)
    np.testing.assert_allclose(found.white_point, [235, 234, 244], atol=3)
    assert found.mask[TISSUE].mean() > 0.95
    tissue = look(slide(np.zeros(SHAPE, bool), (0, 0, 0), quality), MPP)
    assert not {"unscanned"} & {found.code for found in tissue.qc.flags}


def test_a_real_slide_with_an_unscanned_block_and_bubbles(real_cores: Path) -> None:
    path = real_cores.parent / "slides" / "crc-ihc-8.tif"
    if not path.exists():
        pytest.skip(f"no {path.name} at {path.parent}")
    with open_slide(path, 0.5) as slide:
        tissue = find_tissue(slide)
    pieces, block, bubbles = slide_truth(tissue.mask.shape, tissue.mpp)
    assert not tissue.mask[block].any()
    assert tissue.mask[pieces[0]].mean() > 0.97
    assert tissue.mask[np.any(pieces, axis=0)].mean() > 0.93
    bubble = [layer.code for layer in LAYERS].index("bubble")
    assert all(tissue.labels[y, x] == bubble for x, y in bubbles)
    assert flag(tissue, "unscanned").area_mm2 == pytest.approx(block.sum() * tissue.mpp**2 / 1e6, rel=0.02)
