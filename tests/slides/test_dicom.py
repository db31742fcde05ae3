"""DICOM whole-slide images: a folder, one file of a series, what the libraries refuse, damage."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, InvalidMppError, NotASlideError
from lowpower.slides import open_slide
from lowpower.slides._choice import Choice
from lowpower.slides.dicom._dicom_frames import FrameReader
from lowpower.slides.dicom._dicom_levels import arrange
from lowpower.slides.dicom._dicom_series import read_series
from lowpower.slides.dicom._wsidicom import WsiDicomReader

Series = tuple[Path, NDArray[np.uint8]]


def test_a_folder_and_each_file_are_one_slide(series: Series) -> None:
    folder, image = series
    hashes = set()
    for path in (folder, folder / "0.dcm", folder / "2.dcm", folder / "label.dcm"):
        with open_slide(path) as slide:
            assert slide.backend == "pydicom"
            assert slide.size == (700, 500)
            assert (slide.mpp, slide.mpp_source) == (0.25, "dicom.PixelSpacing")
            assert [level.downsample for level in slide.levels] == [1.0, 2.0, 4.0]
            assert (slide.vendor, slide.scanner) == ("Maker", "Scanner 1")
            assert slide.associated["label"].shape == (64, 64, 3)
            assert np.abs(slide.overview(0.25).astype(int) - image).mean() < 2.0
            hashes.add(slide.content_hash())
    assert len(hashes) == 1


@pytest.mark.parametrize("reader", [FrameReader, WsiDicomReader])
def test_every_reader_gives_the_same_pixels(series: Series, reader: Any) -> None:
    folder, _ = series
    with open_slide(folder) as slide:
        arranged = arrange(folder, read_series(folder), Choice())
        other = FrameReader(arranged) if reader is FrameReader else reader(folder, arranged)
        try:
            assert other.stored.sizes == slide._reader.stored.sizes
            for level, (width, height) in enumerate(other.stored.sizes):
                got = other.read(level, 5, 7, width - 9, height - 11)
                want = slide._reader.read(level, 5, 7, width - 9, height - 11)
                assert np.abs(got.astype(int) - want).mean() < 4.0  # fastslide's JPEG decoder is its own
            assert other.associated("label").shape == (64, 64, 3)
        finally:
            other.close()


def test_frames_that_are_not_encoded(tmp_path: Path, dicom: Any, series: Series) -> None:
    _, image = series
    path = dicom.write_level(tmp_path / "plain.dcm", image, 0.5, dicom.new_uids(), encoded=False)
    frames = FrameReader(arrange(path, read_series(path), Choice()))
    assert np.array_equal(frames.read(0, 0, 0, 700, 500), image)
    frames.close()
    with open_slide(path) as slide:
        assert np.array_equal(slide.overview(0.5), image)


def test_a_file_that_every_library_refuses(real_slides: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = real_slides / "small_dicom.dcm"
    with pytest.raises(InvalidMppError, match="ImagedVolumeWidth"):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert slide.backend == "pydicom"
        assert slide.size == (3236, 2638)
        view = slide.overview(8.0)
        assert view.shape == (165, 202, 3)
        assert 150 < view.mean() < 240
        assert view.std() > 10
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_two_series(series: Series, dicom: Any) -> None:
    folder, image = series
    dicom.write_level(folder / "other.dcm", image[:100], 0.25, dicom.new_uids())
    with pytest.raises(NotASlideError, match="2 DICOM series"):
        open_slide(folder)
    with open_slide(folder / "other.dcm") as slide:
        assert slide.size == (700, 100)


def test_dicom_that_is_no_slide(tmp_path: Path, series: Series) -> None:
    folder, _ = series
    data = (folder / "0.dcm").read_bytes()
    path = tmp_path / "ct.dcm"
    path.write_bytes(data.replace(b"1.2.840.10008.5.1.4.1.1.77.1.6", b"1.2.840.10008.5.1.4.1.1.2\0\0\0\0\0"))
    with pytest.raises(NotASlideError, match="no whole-slide"):
        open_slide(path)
    (folder / "0.dcm").unlink()
    for number in (1, 2):
        (folder / f"{number}.dcm").unlink()
    with pytest.raises(NotASlideError, match="no slide image"):
        open_slide(folder / "label.dcm")


@pytest.mark.parametrize("part", range(10))
def test_truncated(series: Series, part: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = series[0] / "0.dcm"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * (2 * part + 1) // 20])
    for target in (path, path.parent):
        with pytest.raises(DamagedSlideError):
            open_slide(target)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_frame_that_lost_its_data(series: Series, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = series[0] / "0.dcm"
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(b"\xff\xd8\xff", data)]
    begin, end = starts[30], starts[31] - 8
    begin = end - int((end - begin) * share)
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    with open_slide(path) as slide:
        with pytest.raises(DamagedSlideError, match="frame 31"):
            slide.overview(0.25)
    frames = FrameReader(arrange(path, read_series(path), Choice()))
    with pytest.raises(DamagedSlideError, match="frame 31"):
        frames.read(0, 0, 0, 700, 500)
    frames.close()
    assert capfd.readouterr() == ("", "")


def test_a_broken_neighbour_does_no_harm(series: Series) -> None:
    folder, _ = series
    shutil.copy(folder / "2.dcm", folder / "broken.dcm")
    (folder / "broken.dcm").write_bytes((folder / "broken.dcm").read_bytes()[:200])
    with open_slide(folder / "0.dcm") as slide:
        assert len(slide.levels) == 3
