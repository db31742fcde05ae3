"""Damaged tiles in results: named with their area, refused from a stated share on, and the batch goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from lowpower.errors import DamagedSlideError, as_sentence
from lowpower.models import Bundle
from lowpower.scoring import ScoreRequest, measure_files, score, score_files
from lowpower.slides import open_slide
from lowpower.stain import measure
from lowpower.tissue import CHECKS, damage_flags, find_tissue

TILE, ACROSS = 64, 19


@pytest.fixture
def slide_with(disc: Path, tmp_path: Path) -> Callable[..., Path]:
    """The disc as a JPEG TIFF of 0.5 um/px, the data of some tiles overwritten near their end."""

    def write(tiles: list[tuple[int, int]], name: str = "slide.tif") -> Path:
        path = tmp_path / name
        tifffile.imwrite(
            path,
            np.ascontiguousarray(cv2.imread(str(disc))[..., ::-1]),
            tile=(TILE, TILE),
            compression="jpeg",
            photometric="rgb",
            resolution=(2e4, 2e4),
            resolutionunit="CENTIMETER",
        )
        data = bytearray(path.read_bytes())
        with tifffile.TiffFile(path) as file:
            for row, column in tiles:
                index = row * ACROSS + column
                end = file.pages[0].dataoffsets[index] + file.pages[0].databytecounts[index]
                data[end - 60 : end - 2] = bytes(58)
        path.write_bytes(data)
        return path

    return write


def test_one_tile_warns_with_its_name_area_and_place(
    slide_with: Callable[..., Path], bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    path = slide_with([(7, 7)])
    result = score(path, bundle, measure=False, pictures=False)
    flag = next(flag for flag in result.qc.flags if flag.code == "damaged")
    assert flag.effect == "warn"
    assert flag.message.startswith("damaged in the file and read as glass: tile 140 of its 1200 x 900 image")
    assert "Corrupt JPEG data" in flag.message
    assert flag.area_mm2 == pytest.approx((TILE * 0.0005) ** 2, rel=0.4)  # to whole pixels of the mask
    x, y, width, height = flag.box
    assert x <= 7 * TILE <= 8 * TILE <= x + width
    assert y <= 7 * TILE <= 8 * TILE <= y + height
    assert as_sentence(flag.message) in result.reasons
    assert capfd.readouterr() == ("", "")


def test_more_than_the_stated_share_refuses(slide_with: Callable[..., Path], bundle: Bundle) -> None:
    path = slide_with([(row, column) for row in (6, 7) for column in range(4, 11)])
    with pytest.raises(DamagedSlideError, match="copy or export it again"):
        score(path, bundle, measure=False, pictures=False)
    forced = score(path, bundle, measure=False, pictures=False, force=True)
    assert next(flag for flag in forced.qc.flags if flag.code == "damaged").effect == "refuse"
    with open_slide(path) as slide:
        measured = measure(slide)
        assert "read as glass" in measured.notes[0]
        assert measured.tumour_cells == 0


def test_the_share_is_of_tissue_and_damage_together(slide_with: Callable[..., Path]) -> None:
    with open_slide(slide_with([(0, 0)])) as slide:
        tissue = find_tissue(slide)
        (flag,) = damage_flags(slide, tissue)
        tile = (TILE * 0.0005) ** 2
        said = float(flag.message.rpartition("up to ")[2].partition("%")[0]) / 100
        assert said == pytest.approx(tile / (tile + tissue.area_mm2), rel=0.4)
        assert said < CHECKS["damaged"].refuse


def test_damage_that_takes_all_tissue_is_no_glass(slide_with: Callable[..., Path]) -> None:
    every = [(row, column) for row in range(15) for column in range(ACROSS)]
    with open_slide(slide_with(every)) as slide, pytest.raises(DamagedSlideError, match="no tissue is left"):
        find_tissue(slide)


def test_a_batch_goes_on(slide_with: Callable[..., Path], bundle: Bundle, tmp_path: Path) -> None:
    sound, damaged = slide_with([], "sound.tif"), slide_with([(7, 7)], "damaged.tif")
    broken = slide_with([], "broken.tif")
    data = bytearray(broken.read_bytes())
    with tifffile.TiffFile(broken) as file:
        offset = file.pages[0].dataoffsets[140]
    at = data.find(b"\xff\xc0", offset)
    data[at + 2 : at + 4] = b"\0\0"
    broken.write_bytes(data)
    request = ScoreRequest(model=bundle, measure=False, pictures=False)
    results = score_files([broken, damaged, sound], request=request, out=tmp_path / "scored")
    assert [result.state for result in results] == ["failed", "ok", "ok"]
    assert "tile 140 of its 1200 x 900 image cannot be decoded" in str(results[0].reason)
    records = measure_files([broken, damaged, sound], out=tmp_path / "measured")
    assert records[0].state == "failed"
    assert [flag.code for flag in records[1].qc.flags if flag.code == "damaged"] == ["damaged"]
    assert "damaged" not in [flag.code for flag in records[2].qc.flags]
