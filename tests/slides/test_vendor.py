"""Vendors' TIFFs: libraries that hang are ended, and tiles that they would pass over are looked at first."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lowpower.errors import DamagedSlideError
from lowpower.slides import open_slide
from lowpower.slides.tiff._tiff_layout import read_layout
from lowpower.slides.vendor._fastslide import FastSlideReader
from lowpower.slides.vendor._killable import KillableSlide, StoppedError
from lowpower.slides.vendor._openslide import OpenSlideReader
from lowpower.units import Box

Writer = Callable[..., Path]
QPI = "<PerkinElmer-QPI-ImageDescription></PerkinElmer-QPI-ImageDescription>"


@pytest.fixture
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(700, 500)


def _overwrite(path: Path, tile: int, part: slice, with_byte: int = 0) -> None:
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[tile], file.pages[0].databytecounts[tile]
    first, last, _ = part.indices(count)
    data[offset + first : offset + last] = bytes([with_byte]) * (last - first)
    path.write_bytes(data)


def _break_header(path: Path, tile: int) -> None:
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[tile]
    at = path.read_bytes().find(b"\xff\xc0", offset) - offset
    _overwrite(path, tile, slice(at + 2, at + 4))


@pytest.mark.timeout(60)
def test_a_library_that_hangs_is_ended_and_the_next_read_is_served(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(tmp_path / "a.svs", image, compression="jpeg", description="Aperio x|MPP = 0.25")
    _break_header(path, 0)
    slide = KillableSlide(path, limit=1.0)
    try:
        with ThreadPoolExecutor(3) as pool:
            begin = time.monotonic()
            hung = pool.submit(slide.read_region, 0, 0, 0, 10, 10)
            served = [pool.submit(slide.read_region, 0, 100 + i, 100, 64, 32) for i in range(20)]
            assert {future.result().shape for future in served} == {(32, 64, 3)}
            with pytest.raises(StoppedError, match="no answer within 1 s"):
                hung.result()
            assert time.monotonic() - begin < 20
        assert slide.read_region(0, 300, 300, 8, 8).shape == (8, 8, 3)
        with pytest.raises(ValueError, match="barcode"):
            slide.associated("barcode")
    finally:
        slide.close()


@pytest.mark.timeout(60)
@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
def test_ctrl_c_works_while_a_library_hangs(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(tmp_path / "a.svs", image, compression="jpeg", description="Aperio x|MPP = 0.25")
    _break_header(path, 0)
    code = (
        "import sys; from pathlib import Path; from lowpower.slides.vendor._killable import KillableSlide\n"
        "slide = KillableSlide(Path(sys.argv[1])); print('open', flush=True)\n"
        "slide.read_region(0, 0, 0, 10, 10)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=20)[1]


def test_a_child_that_dies_is_said(tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer) -> None:
    path = write_pyramid(tmp_path / "a.svs", image, compression="jpeg", description="Aperio x|MPP = 0.25")
    slide = KillableSlide(path)
    slide._all[0]._process.kill()
    with pytest.raises(StoppedError, match="ended itself"):
        slide.read_region(0, 0, 0, 8, 8)
    assert slide.read_region(0, 0, 0, 8, 8).shape == (8, 8, 3)
    slide.close()
    slide.close()


@pytest.mark.parametrize("reader", [FastSlideReader, OpenSlideReader])
def test_tiles_are_looked_at_before_a_library_decodes_them(
    tmp_path: Path,
    image: NDArray[np.uint8],
    write_pyramid: Writer,
    reader: type[FastSlideReader] | type[OpenSlideReader],
) -> None:
    path = write_pyramid(tmp_path / "a.svs", image, compression="jpeg", description="Aperio x|MPP = 0.25")
    layout = read_layout(path)
    opened = reader(path, layout)
    want = opened.read(0, 0, 0, 700, 500).copy()
    assert np.abs(want.astype(int) - image).mean() < 8
    opened.close()
    _overwrite(path, 13, slice(-40, -2))  # row 1, column 2
    want[64:128, 128:192] = 255
    opened = reader(path, layout)
    assert np.array_equal(opened.read(0, 100, 50, 300, 200), want[50:250, 100:400])
    assert [(tile.name, tile.box) for tile in opened.damage.tiles()] == [
        ("tile 13 of its 700 x 500 level", Box(128, 64, 64, 64))
    ]
    opened.close()
    _break_header(path, 20)
    opened = reader(path, layout)
    with pytest.raises(DamagedSlideError, match="tile 20 of its 700 x 500 level cannot be decoded"):
        opened.read(0, 0, 0, 700, 500)
    opened.close()
    layout.file.close()


def test_a_vendor_that_only_openslide_reads(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(
        tmp_path / "a.qptiff", image, compression="jpeg", description=QPI, software="PerkinElmer-QPI"
    )
    _overwrite(path, 13, slice(-40, -2))
    with open_slide(path, mpp=0.25) as slide:
        assert slide.backend == "openslide"
        assert slide.overview(0.25)[64:128, 128:192].min() == 255
        assert [tile.index for tile in slide.damage()] == [13]


def _write_ndpi(path: Path, image: NDArray[np.uint8]) -> Path:
    """One JPEG stream with restart markers, and Hamamatsu's tags that say where its intervals begin."""
    stream = io.BytesIO()
    height, width = image.shape[:2]
    Image.fromarray(image).save(
        stream, "jpeg", quality=95, subsampling=0, restart_marker_blocks=width // 8 // 4
    )
    data = stream.getvalue()
    scan = data.index(b"\xff\xda")
    at = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    starts = [at]
    while data[at : at + 2] != b"\xff\xd9":
        at = data.index(b"\xff", at + 1)
        if 0xD0 <= data[at + 1] <= 0xD7:
            starts.append(at + 2)
    tags = [(271, 2, None, "Hamamatsu", True), (272, 2, None, "C12000", True), (65420, 4, 1, 1, True)]
    tags += [(65421, 11, 1, 20.0, True), (65426, 4, len(starts), starts, True)]
    tags += [(number, 9, 1, 0, True) for number in (65422, 65423, 65424)]
    tifffile.imwrite(
        path, iter([data]), shape=image.shape, dtype=np.uint8, photometric="ycbcr", compression="jpeg",
        rowsperstrip=height, metadata=None, resolution=(2e4, 2e4), resolutionunit="CENTIMETER",
        extratags=tags,
    )  # fmt: skip
    return path


def test_the_intervals_of_a_hamamatsu_stream(
    tmp_path: Path, picture: Callable[..., NDArray[np.uint8]]
) -> None:
    path = _write_ndpi(tmp_path / "a.tif", picture(512, 256))
    layout = read_layout(path)
    assert layout.levels[0].tile == (128, 8)
    opened = OpenSlideReader(path, layout)
    want = opened.read(0, 0, 0, 512, 256).copy()
    assert opened.damage.tiles() == ()
    opened.close()
    _overwrite(path, 9, slice(20, 40), 0x7F)  # row 2, column 1
    opened = OpenSlideReader(path, layout)
    got = opened.read(0, 0, 0, 512, 256)
    assert [tile.index for tile in opened.damage.tiles()] == [9]
    want[16:24, 128:256] = 255
    assert np.array_equal(got, want)
    opened.close()
    layout.file.close()
