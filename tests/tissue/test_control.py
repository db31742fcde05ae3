"""Control tissue on drawn slides; rates over hundreds of simulated ones: benchmarks/quality.py."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.errors import NoTissueError, RegionsError
from lowpower.tissue import Tissue, control_name, find_tissue, is_control_word
from lowpower.units import Box

MPP = 16.0
BLUE = (0.10, 0.09, 0.05)
BROWN = (0.28, 0.51, 0.61)
Rect = tuple[float, float, float, float]


class DrawnSlide:
    """Rectangles of stain (x, y, width, height in mm; OD) on glass."""

    notes: tuple[str, ...] = ()

    def __init__(self, size: tuple[float, float], pieces: list[tuple[Rect, tuple[float, ...]]]) -> None:
        rng = np.random.default_rng(0)
        shape = (round(size[1] * 1000 / MPP), round(size[0] * 1000 / MPP), 3)
        density = np.zeros(shape)
        for (x, y, width, height), od in pieces:
            left, top = round(x * 1000 / MPP), round(y * 1000 / MPP)
            right, bottom = round((x + width) * 1000 / MPP), round((y + height) * 1000 / MPP)
            grain = rng.uniform(0.6, 1.4, (bottom - top, right - left, 1))
            density[top:bottom, left:right] = grain * np.array(od)
        image = np.array([238.0, 238, 242]) * 10.0**-density + rng.normal(0, 1.2, shape)
        self.image: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
        self.mpp, self.path, self.size = MPP, Path("drawn.tif"), (shape[1], shape[0])

    def overview(self, mpp: float) -> NDArray[np.uint8]:
        return self.image


def find(
    size: tuple[float, float], pieces: list[tuple[Rect, tuple[float, ...]]], **options: object
) -> Tissue:
    return find_tissue(DrawnSlide(size, pieces), **options)  # type: ignore[arg-type]


def codes(tissue: Tissue) -> list[str]:
    return [flag.code for flag in tissue.qc.flags]


CORE: tuple[Rect, tuple[float, ...]] = ((5.0, 1.0, 10.0, 3.0), BLUE)
CONTROL: tuple[Rect, tuple[float, ...]] = ((1.0, 1.5, 1.6, 1.6), BROWN)


@pytest.mark.parametrize("end", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("stain", [BROWN, BLUE])
def test_a_control_at_any_end_is_left_out_and_where_stained_alike_if_the_end_is_told(
    end: str, stain: tuple[float, ...]
) -> None:
    size, boxes = (18.5, 5.0), [(7.5, *CORE[0][1:]), CONTROL[0]]
    if end in ("right", "bottom"):
        boxes = [(size[0] - x - w, y, w, h) for x, y, w, h in boxes]
    if end in ("top", "bottom"):
        size, boxes = (5.0, 18.5), [(y, x, h, w) for x, y, w, h in boxes]
    pieces = [(boxes[0], stain), (boxes[1], BROWN)]
    if stain is BROWN:
        assert codes(find(size, pieces)) == ["control_doubtful"]
    tissue = find(size, pieces, control="auto" if stain is BLUE else end)
    assert tissue.area_mm2 == pytest.approx(30.0, rel=0.05)
    assert tissue.control.sum() * tissue.mpp**2 / 1e6 == pytest.approx(1.6**2, rel=0.1)
    assert not (tissue.mask & tissue.control).any()
    assert [piece.label for piece in tissue.pieces] == ["sample", "control"]
    assert tissue.pieces[1].reason.startswith(f"{end}; ")
    assert codes(tissue) == ["control"]
    (flag,) = tissue.qc.flags
    assert flag.effect == "note"
    assert flag.area_mm2 == pytest.approx(1.6**2, rel=0.1)
    assert flag.box == tissue.pieces[1].box
    assert "--control none" in flag.message
    assert tissue.box.width * MPP < 10_200
    assert tissue.box.height * MPP < 10_200


def test_three_punches_in_a_row_are_one_control() -> None:
    punches = [((1.0, 0.8 + 1.9 * row, 1.2, 1.2), stain) for row, stain in enumerate((BROWN, BLUE, BROWN))]
    tissue = find((18.0, 7.0), [((7.0, 1.0, 10.0, 5.0), BLUE), *punches])
    assert [piece.label for piece in tissue.pieces] == ["sample", "control", "control", "control"]
    assert tissue.area_mm2 == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_needle_cores_are_all_sample(rows: int) -> None:
    cores = [((1.0 + row, 1.0 + 2.5 * row, 9.0 - row, 1.1), BROWN if row else BLUE) for row in range(rows)]
    tissue = find((13.0, 2.5 * rows + 2), cores)
    assert not tissue.control.any()
    assert codes(tissue) == []


def test_a_core_in_pieces_is_all_sample_even_if_one_piece_at_its_end_is_brown() -> None:
    pieces = [((1.0, 1.0, 1.2, 1.1), BROWN), ((3.4, 1.0, 5.0, 1.1), BLUE), ((9.0, 1.0, 3.0, 1.1), BLUE)]
    tissue = find((13.0, 3.0), pieces)
    assert not tissue.control.any()
    assert tissue.area_mm2 == pytest.approx(9.2 * 1.1, rel=0.05)
    assert codes(tissue) == []


@pytest.mark.parametrize(
    "pieces",
    [
        [((1.0, 1.0, 1.5, 1.5), BROWN), ((9.0, 1.0, 1.5, 1.5), BLUE)],  # twins
        [((1.0, 1.0, 3.0, 3.0), BROWN), ((9.0, 1.0, 1.5, 1.5), BLUE)],  # the control is the larger
        [((1.0, 1.0, 1.5, 1.5), BROWN), ((9.0, 1.0, 3.0, 3.0), BLUE)],
        [((1.0, 1.0, 1.5, 1.5), BLUE), ((6.0, 1.0, 8.0, 3.0), BROWN)],  # paler than the rest
    ],
)
def test_what_could_be_either_is_left_in_and_flagged(pieces: list[tuple[Rect, tuple[float, ...]]]) -> None:
    tissue = find((15.0, 5.0), pieces)
    assert not tissue.control.any()
    assert codes(tissue) == ["control_doubtful"]
    (flag,) = tissue.qc.flags
    assert flag.effect == "warn"
    assert "nothing was left out" in flag.message
    assert flag.box is not None


def test_what_is_doubtful_is_tried_without_each_group_and_an_end_is_named_only_if_it_convinces() -> None:
    size, pieces = (18.5, 5.0), [((7.5, 1.0, 10.0, 3.0), BROWN), CONTROL]
    (group,) = find(size, pieces).doubtful
    assert group.end == "left"
    assert group.area_mm2 == pytest.approx(1.6**2, rel=0.1)
    assert not find(size, pieces, control="left").doubtful
    assert find(size, pieces, control=group.mask).area_mm2 == pytest.approx(30.0, rel=0.05)
    twins = [((1.0, 1.0, 1.5, 1.5), BROWN), ((9.0, 1.0, 1.5, 1.5), BLUE)]
    first, second = find((15.0, 5.0), twins).doubtful
    assert not (first.mask & second.mask).any()
    for group in (first, second):
        assert group.end is None or not find((15.0, 5.0), twins, control=group.end).doubtful


def test_two_like_pieces_of_which_one_is_brown_are_flagged() -> None:
    left, right = (1.0, 1.0, 1.3, 1.3), (3.2, 1.0, 1.3, 1.3)
    tissue = find((6.0, 4.0), [(left, BROWN), (right, BLUE)])
    assert "control_doubtful" in codes(tissue)
    assert not tissue.control.any()
    assert "control_doubtful" not in codes(find((6.0, 4.0), [(left, BLUE), (right, BLUE)]))


def test_an_array_of_cores_has_no_control() -> None:
    cores = [
        ((1.0 + 2 * x, 1.0 + 2 * y, 1.2, 1.2), (BLUE, BROWN)[(x + y) % 2]) for x in range(4) for y in range(3)
    ]
    tissue = find((9.0, 7.0), cores)
    assert not tissue.control.any()
    assert codes(tissue) == []


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    pieces = [CORE, CONTROL]
    assert not find((16.0, 5.0), pieces, control="none").control.any()
    for given in (Box(250, 0, 562, 313), "250,0,562,313"):  # 4 to 13 mm
        tissue = find((16.0, 5.0), pieces, control=given)
    assert codes(tissue) == ["control"]
    assert tissue.area_mm2 == pytest.approx(1.6**2 + 2.0 * 3.0, rel=0.1)
    drawn = np.zeros((50, 160), bool)
    drawn[:, :40] = True
    cv2.imwrite(str(tmp_path / "control.png"), drawn.astype(np.uint8) * 255)
    ring = [[0, 0], [250, 0], [250, 313], [0, 313], [0, 0]]
    (tmp_path / "control.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    for given in (drawn, tmp_path / "control.png", str(tmp_path / "control.geojson")):
        tissue = find((16.0, 5.0), pieces, control=given)
        assert tissue.area_mm2 == pytest.approx(30.0, rel=0.05)
        assert tissue.pieces[-1].label == "control"


def test_an_end_that_is_told_settles_what_is_doubtful_and_takes_no_core() -> None:
    cores = [((6.0, 1.0, 9.0, 1.2), BROWN), ((7.0, 3.5, 8.0, 1.2), BROWN)]
    pieces = [*cores, ((1.0, 1.5, 2.5, 2.5), BROWN)]
    assert codes(find((16.0, 6.0), pieces)) == ["control_doubtful"]
    assert find((16.0, 6.0), pieces, control="left").area_mm2 == pytest.approx(17 * 1.2, rel=0.05)
    tissue = find((16.0, 6.0), cores, control="top")
    assert not tissue.control.any()
    (flag,) = tissue.qc.flags
    assert flag.effect == "warn"
    assert flag.code in ("control_doubtful", "control_empty")
    (flag,) = find((16.0, 6.0), pieces, control="top").qc.flags
    assert flag.message == "no piece stands apart at the top: nothing was left out."


def test_how_a_record_names_what_was_said(tmp_path: Path) -> None:
    assert control_name("top left") == "top left"
    assert control_name(Box(1, 2, 3, 4)) == control_name("1,2,3,4") == "1,2,3,4"
    (tmp_path / "a.png").write_bytes(b"x")
    assert control_name(tmp_path / "a.png").startswith("a.png ")
    assert is_control_word("auto")
    assert not is_control_word("lft")
    assert not is_control_word("1,2,3")


def test_a_control_given_wrongly_is_said(tmp_path: Path) -> None:
    pieces = [CORE, CONTROL]
    assert codes(find((16.0, 5.0), pieces, control=Box(200, 10, 20, 20))) == ["control_empty"]
    with pytest.raises(NoTissueError, match="control tissue covers all"):
        find((16.0, 5.0), pieces, control=Box(0, 0, 1000, 313))
    with pytest.raises(RegionsError, match="is no file"):
        find((16.0, 5.0), pieces, control=tmp_path / "absent.png")
    with pytest.raises(ValueError, match="bool"):
        find((16.0, 5.0), pieces, control=np.zeros((4, 4)))


def test_in_a_mask_of_ones_own_nothing_is_searched() -> None:
    drawn = np.ones((50, 160), bool)
    tissue = find((16.0, 5.0), [CORE, CONTROL], mask=drawn)
    assert tissue.mask.all()
    tissue = find((16.0, 5.0), [CORE, CONTROL], mask=drawn, control=Box(0, 0, 250, 313))
    assert tissue.control.mean() == pytest.approx(0.25, abs=0.01)
