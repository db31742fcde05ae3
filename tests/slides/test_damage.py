"""A damaged slide is an error, at open or at read; never white pixels, never a crash, never chatter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides import open_slide
from lowpower.units import Box

Writer = Callable[..., Path]
CUTS = range(10)


def _open_and_read_all(path: Path) -> None:
    with open_slide(path, mpp=0.25) as slide:
        for level in slide.levels:
            slide.overview(level.mpp)


def _cut(whole: Path, part: int, target: Path) -> None:
    data = whole.read_bytes()
    target.write_bytes(data[: len(data) * (2 * part + 1) // 20])


@pytest.fixture(scope="module")
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(700, 500)


@pytest.mark.parametrize("part", CUTS)
@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_a_truncated_aperio(
    real_slides: Path, tmp_path: Path, part: int, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    _cut(real_slides / name, part, path)
    with pytest.raises((DamagedSlideError, NotASlideError), match="cut short"):
        _open_and_read_all(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("part", CUTS)
@pytest.mark.parametrize(
    ("compression", "tile", "bigtiff"),
    [("jpeg", (64, 64), False), ("zlib", (64, 64), True), ("lzw", None, False), (None, None, False)],
    ids=["jpeg tiles", "deflate tiles", "LZW strips", "plain strips"],
)
def test_a_truncated_pyramid(
    tmp_path: Path,
    image: NDArray[np.uint8],
    write_pyramid: Writer,
    part: int,
    compression: str | None,
    tile: tuple[int, int] | None,
    bigtiff: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = write_pyramid(
        tmp_path / "whole.tif", image, levels=3, compression=compression, tile=tile, bigtiff=bigtiff
    )
    _open_and_read_all(whole)
    _cut(whole, part, tmp_path / "cut.tif")
    with pytest.raises(DamagedSlideError, match="cut short"):
        _open_and_read_all(tmp_path / "cut.tif")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("part", CUTS)
def test_a_truncated_ome(tmp_path: Path, image: NDArray[np.uint8], part: int) -> None:
    whole = tmp_path / "whole.ome.tif"
    with tifffile.TiffWriter(whole) as out:
        options = {"tile": (64, 64), "compression": "jpeg", "photometric": "rgb"}
        out.write(image, subifds=2, metadata={"axes": "YXS", "PhysicalSizeX": 0.25}, **options)
        out.write(image[::2, ::2], subfiletype=1, **options)
        out.write(image[::4, ::4], subfiletype=1, **options)
    with open_slide(whole) as slide:
        assert len(slide.levels) == 3
    _cut(whole, part, tmp_path / "cut.ome.tif")
    with pytest.raises(DamagedSlideError):
        _open_and_read_all(tmp_path / "cut.ome.tif")


def _overwrite(path: Path, target: Path, share: float, page: int = 0, tile: int = 3) -> None:
    """Zeros in place of the last `share` of one tile."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[page].dataoffsets[tile], file.pages[page].databytecounts[tile]
    begin = offset + int(count * (1 - share))
    data[begin : offset + count] = bytes(offset + count - begin)
    target.write_bytes(data)


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "zlib", "lzw"])
def test_a_tile_that_lost_its_data(
    tmp_path: Path,
    image: NDArray[np.uint8],
    write_pyramid: Writer,
    share: float,
    compression: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = write_pyramid(tmp_path / "whole.tif", image, compression=compression)
    _overwrite(whole, tmp_path / "hole.tif", share)
    with open_slide(tmp_path / "hole.tif") as slide:
        with pytest.raises(DamagedSlideError, match="tile 3"):
            slide.overview(1.0)
    assert capfd.readouterr() == ("", "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_an_aperio_tile_that_lost_its_data(
    real_slides: Path, tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    _overwrite(real_slides / name, tmp_path / name, share, tile=20)
    with open_slide(tmp_path / name, mpp=0.5) as slide:
        assert slide.backend == "tifffile"
        with pytest.raises(DamagedSlideError, match="tile 20"):
            slide.overview(0.5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tile", [0, 20])
def test_an_aperio_whose_first_tile_is_lost(real_slides: Path, tmp_path: Path, tile: int) -> None:
    _overwrite(real_slides / "cmu-1-small-region.svs", tmp_path / "a.svs", 1.0, tile=tile)
    with pytest.raises(DamagedSlideError):
        _open_and_read_all(tmp_path / "a.svs")


def _unwrite(path: Path, tile: int, page: int = 0) -> None:
    """Zero bytes for one tile, as exports write it that leave glass out."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages[page].tags["TileByteCounts"]
        at, value = tag.valueoffset, np.array(tag.value, np.uint32 if tag.dtype == 4 else np.uint16)
    data = bytearray(path.read_bytes())
    value[tile] = 0
    data[at : at + value.nbytes] = value.tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("compression", ["jpeg", "zlib", None])
def test_tiles_that_were_never_written_are_glass(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, compression: str | None
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, levels=2, compression=compression)
    with open_slide(path) as slide:
        want = slide.overview(0.25)
    _unwrite(path, 13)  # row 1, column 2
    want[64:128, 128:192] = 255
    with open_slide(path) as slide:
        assert np.array_equal(slide.overview(0.25), want)
        assert slide.damage() == ()
        assert slide.notes == ("never written: 1 of 88 tiles of its 700 x 500 image; read as glass.",)


def test_a_plane_that_is_lost_takes_the_others_with_it(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.moveaxis(image, 2, 0),
        tile=(64, 64),
        photometric="rgb",
        planarconfig="separate",
        compression="zlib",
        resolution=(4e4, 4e4),
        resolutionunit="CENTIMETER",
        metadata=None,
    )
    _unwrite(path, 88 + 13)  # in green alone
    want = image.copy()
    want[64:128, 128:192] = 255
    with open_slide(path) as slide:
        assert np.array_equal(slide.overview(0.25), want)
        assert slide.notes[0].startswith("never written: 1 of 88 tiles")


def test_what_aperio_left_out_is_shown_by_the_coarser_level(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(
        tmp_path / "a.svs", image, levels=2, compression="jpeg", description="Aperio x|MPP = 0.25"
    )
    _unwrite(path, 13)
    with open_slide(path) as slide, tifffile.TiffFile(path) as file:
        got = slide.overview(0.25)[64:128, 128:192]
        coarser = file.pages[1].asarray()[32:64, 64:96].repeat(2, 0).repeat(2, 1)
        assert np.abs(got.astype(int) - coarser).mean() < 8
    _unwrite(path, 1, page=1)  # now the coarser one holds nothing there either
    with open_slide(path) as slide:
        assert slide.overview(0.25)[64:128, 128:192].min() == 255


def _rewrite(path: Path, tile: int, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[tile], file.pages[0].databytecounts[tile]
    stream = data[offset : offset + count]
    change(stream)
    data[offset : offset + count] = stream
    path.write_bytes(data)


def _break_header(stream: bytearray) -> None:
    at = stream.find(b"\xff\xc0")
    stream[at + 2 : at + 4] = b"\x00\x00"  # a bogus length, between sound ends


def _break_data(stream: bytearray) -> None:
    stream[-40:-2] = bytes(38)


@pytest.mark.timeout(60)  # fastslide waits for ever on such a tile, deaf to Ctrl-C
@pytest.mark.parametrize("name", ["a.svs", "a.tif"])
def test_a_broken_header_between_sound_ends(
    tmp_path: Path,
    image: NDArray[np.uint8],
    write_pyramid: Writer,
    name: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = write_pyramid(
        tmp_path / name, image, levels=2, compression="jpeg", description="Aperio x|MPP = 0.25"
    )
    _rewrite(path, 0, _break_header)
    with open_slide(path) as slide, pytest.raises(DamagedSlideError, match=r"tile 0 .* cannot be decoded"):
        slide.overview(0.25)
    assert capfd.readouterr() == ("", "")


def test_a_tile_whose_decoder_warns_is_named_and_read_as_glass(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, levels=2, compression="jpeg")
    with open_slide(path) as slide:
        want = slide.overview(0.25)
        assert slide.damage() == ()
    _rewrite(path, 13, _break_data)
    want[64:128, 128:192] = 255
    with open_slide(path) as slide:
        for _ in range(2):
            assert np.array_equal(slide.overview(0.25), want)
        [damaged] = slide.damage()
        assert damaged.name == "tile 13 of its 700 x 500 image"
        assert "Corrupt JPEG data" in damaged.reason
        assert damaged.box == Box(128, 64, 64, 64)
    assert capfd.readouterr() == ("", "")


def test_verify_decodes_every_tile_of_every_level(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, levels=3, compression="jpeg")
    _rewrite(path, 87, _break_data)
    seen: list[tuple[int, int]] = []
    with open_slide(path) as slide:
        slide.verify(lambda done, total: seen.append((done, total)))
        assert [tile.index for tile in slide.damage()] == [87]
    pixels = 700 * 500 + 350 * 250 + 175 * 125
    assert seen[-1] == (pixels, pixels)
    _rewrite(path, 40, _break_header)
    with open_slide(path) as slide, pytest.raises(DamagedSlideError, match="tile 40"):
        slide.verify()


def test_a_frame_whose_decoder_warns(series: tuple[Path, NDArray[np.uint8]]) -> None:
    path = series[0] / "0.dcm"
    with open_slide(path) as slide:
        want = slide.overview(0.25)
    data = bytearray(path.read_bytes())
    ends = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xd9"]
    data[ends[13] - 40 : ends[13]] = bytes(40)  # 11 frames a row: row 1, column 2
    path.write_bytes(data)
    want[64:128, 128:192] = 255
    with open_slide(path) as slide:
        assert np.array_equal(slide.overview(0.25), want)
        assert [(tile.name, tile.box) for tile in slide.damage()] == [
            ("frame 14 of its 700 x 500 image", Box(128, 64, 64, 64))
        ]


def test_a_photograph_whose_decoder_warns(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    from PIL import Image

    path = tmp_path / "a.jpg"
    Image.fromarray(image).save(path)
    data = bytearray(path.read_bytes())
    data[-400:-2] = bytes(398)
    path.write_bytes(data)
    with pytest.raises(DamagedSlideError, match="Corrupt JPEG data"):
        open_slide(path, mpp=0.5)


def test_directories_in_a_circle(tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer) -> None:
    path = write_pyramid(tmp_path / "a.tif", image)
    with tifffile.TiffFile(path) as file:
        first = file.pages[0].offset
        entries = len(file.pages[0].tags)
    data = bytearray(path.read_bytes())
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = first.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DamagedSlideError, match="circle"):
        open_slide(path)


@pytest.mark.parametrize("part", CUTS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_truncated_image(
    tmp_path: Path, image: NDArray[np.uint8], part: int, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(image).save(whole)
    _cut(whole, part, tmp_path / f"cut{suffix}")
    with pytest.raises(DamagedSlideError):
        _open_and_read_all(tmp_path / f"cut{suffix}")
    assert capfd.readouterr() == ("", "")
