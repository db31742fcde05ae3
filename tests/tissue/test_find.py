from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.tissue.tissue_truth import core_file

from lowpower.errors import NoTissueError
from lowpower.slides import open_slide
from lowpower.tissue import find_tissue


class MadeSlide:
    """Stands in for an open slide: an image that is its own only level."""

    notes: tuple[str, ...] = ()

    def __init__(self, image: NDArray[np.uint8], mpp: float) -> None:
        self.image, self.mpp, self.path = image, mpp, Path("made.tif")
        self.size = (image.shape[1], image.shape[0])

    def overview(self, mpp: float) -> NDArray[np.uint8]:
        assert mpp == pytest.approx(self.mpp)
        return self.image

    def damage(self) -> tuple[()]:
        return ()


def made(boxes: list[tuple[int, int, int, int]], mpp: float = 4.0) -> MadeSlide:
    rng = np.random.default_rng(0)
    image = np.array([240.0, 239, 243]) + rng.normal(0, 1.2, (320, 400, 3))
    for x, y, width, height in boxes:
        image[y : y + height, x : x + width] *= 10.0 ** -np.array([0.28, 0.51, 0.61])
    return MadeSlide(np.clip(image, 0, 255).astype(np.uint8), mpp)


def test_pieces_area_and_box() -> None:
    tissue = find_tissue(made([(40, 50, 60, 80), (200, 100, 100, 100)]))  # type: ignore[arg-type]
    assert tissue.area_mm2 == pytest.approx((60 * 80 + 100 * 100) * 16e-6, rel=0.03)
    assert [round(piece.area_mm2, 2) for piece in tissue.pieces] == [0.16, 0.08]
    assert abs(tissue.box.x - 40) <= 1
    assert abs(tissue.box.y - 50) <= 1
    assert abs(tissue.box.right - 300) <= 1
    assert abs(tissue.box.bottom - 200) <= 1
    assert tissue.white_point_source == "glass"
    assert tissue.qc.flags == ()
    assert tissue.mask.shape == (320, 400)


@given(x=st.integers(15, 150), y=st.integers(15, 100), side=st.integers(40, 150))
@settings(max_examples=10, deadline=None)
def test_every_piece_lies_in_its_box_and_the_box_holds_all(x: int, y: int, side: int) -> None:
    tissue = find_tissue(made([(x, y, side, side), (330, 250, 40, 40)]))  # type: ignore[arg-type]
    rows, columns = np.nonzero(tissue.mask)
    assert (tissue.box.x, tissue.box.y) == (columns.min(), rows.min())
    assert (tissue.box.right, tissue.box.bottom) == (columns.max() + 1, rows.max() + 1)
    assert sum(piece.area_mm2 for piece in tissue.pieces) == pytest.approx(tissue.area_mm2)


def test_a_mask_of_ones_own_is_taken_as_it_stands() -> None:
    drawn = np.zeros((32, 40), bool)
    drawn[2:10, 3:20] = True
    tissue = find_tissue(made([(200, 100, 100, 100)]), mask=drawn)  # type: ignore[arg-type]
    assert (tissue.box.x, tissue.box.y, tissue.box.width, tissue.box.height) == (30, 20, 170, 80)
    assert [flag.code for flag in tissue.qc.flags] == ["own_mask", "mask_doubtful"]
    with pytest.raises(NoTissueError, match="marks nothing"):
        find_tissue(made([]), mask=np.zeros((32, 40), bool))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bool"):
        find_tissue(made([]), mask=np.zeros((32, 40)))  # type: ignore[arg-type]


def test_bare_glass_is_refused_with_numbers() -> None:
    with pytest.raises(NoTissueError, match=r"made.tif: no tissue found.*RGB 239, 238, 242.*texture.*OD"):
        find_tissue(made([]))  # type: ignore[arg-type]


def test_the_blank_core_is_refused_by_name(real_cores: Path) -> None:
    with open_slide(core_file(real_cores, "blank"), 0.25) as slide, pytest.raises(NoTissueError) as error:
        find_tissue(slide)
    assert "blank_99b35026" in str(error.value)
    assert "no tissue found" in str(error.value)


def test_a_view_without_glass_says_so() -> None:
    slide = made([(0, 0, 400, 320)])
    tissue = find_tissue(slide)  # type: ignore[arg-type]
    assert tissue.mask.all()
    assert tissue.white_point_source != "glass"
    assert "no_glass" in [flag.code for flag in tissue.qc.flags]
