"""Where the page's grid is the slide's own, its tiles come as they are stored; else they are made."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg
import tifffile

import lowpower as lp
from lowpower.serve._tiles import SlideImage, top_level

TILE = 240  # as Aperio's scanners write them
SECRET = b"Jane Doe 1961"


def commented(stream: bytes) -> bytes:
    """The same picture, with words in it that are nobody's business."""
    note = b"\xff\xfe" + (len(SECRET) + 2).to_bytes(2, "big") + SECRET
    return stream[:2] + note + stream[2:] + SECRET


def damaged(stream: bytes) -> bytes:
    """A stream whose decoder warns."""
    at = stream.index(b"\xff\xda") + 200
    return stream[:at] + bytes(len(stream) - at - 2) + stream[-2:]


@pytest.fixture
def slide_file(tmp_path):
    """4 x 3 tiles and an edge: one with a comment, one black, one damaged, levels 1 and 4."""
    chance = np.random.default_rng(0)
    base = np.kron(chance.integers(60, 250, (100, 130, 3)), np.ones((8, 8, 1))).astype(np.uint8)[:730, :970]
    base[TILE : 2 * TILE, TILE : 2 * TILE] = 0

    def tiles(image):
        for number, (y, x) in enumerate(np.ndindex(-(-image.shape[0] // TILE), -(-image.shape[1] // TILE))):
            part = image[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
            part = np.pad(part, [(0, TILE - part.shape[0]), (0, TILE - part.shape[1]), (0, 0)], mode="edge")
            stream = simplejpeg.encode_jpeg(np.ascontiguousarray(part), quality=80, colorsubsampling="420")
            yield {0: commented, 2: damaged}.get(number, bytes)(stream)

    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for image in (base, base[::4, ::4]):
            file.write(
                tiles(image), shape=image.shape, dtype=np.uint8, tile=(TILE, TILE), photometric="ycbcr",
                compression="jpeg", subsampling=(2, 2), subfiletype=int(image is not base),
            )  # fmt: skip
    return tmp_path / "a.tif"


def test_a_tile_is_the_stored_one_or_what_is_read(slide_file):
    with lp.open_slide(slide_file, 0.5) as slide, tifffile.TiffFile(slide_file) as file:
        image, top = SlideImage(slide, 0.5), top_level(*slide.size)
        segments = [bytes(segment) for segment, _ in _segments(file.pages[0])]
        assert image.side == TILE
        as_stored = set()
        for row, column in np.ndindex(4, 5):
            jpeg = image.tile(top, column, row)
            box = lp.Box(
                column * TILE, row * TILE, min(TILE, 970 - column * TILE), min(TILE, 730 - row * TILE)
            )
            read = slide.read(box, 0.5)
            told = simplejpeg.decode_jpeg(jpeg, "RGB")
            assert told.shape == read.shape
            if np.array_equal(told, read) and jpeg[-60:] in segments[row * 5 + column]:
                as_stored.add((row, column))
            else:
                assert np.abs(told.astype(int) - read).mean() < 12, (row, column)
            assert SECRET not in jpeg
        # All whole tiles but the black one, read as glass, and the damaged one.
        assert as_stored == {(row, column) for row in range(3) for column in range(4)} - {(1, 1), (0, 2)}
        assert (simplejpeg.decode_jpeg(image.tile(top, 1, 1), "RGB") > 250).all()
        assert simplejpeg.decode_jpeg(image.tile(top - 1, 0, 0), "RGB").shape == (TILE, TILE, 3)  # averaged


def _segments(page):
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        page.parent.filehandle.seek(offset)
        yield page.parent.filehandle.read(count), count


@pytest.mark.parametrize(("tile", "side"), [(512, 512), (64, 256), (1024, 256), (None, 256)])
def test_the_pages_tiles_are_the_slides_where_these_are_usual(tmp_path, tile, side):
    pixels = np.full((1100, 1100, 3), 200, np.uint8)
    about = {} if tile is None else {"tile": (tile, tile)}
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="jpeg", **about)
    with lp.open_slide(tmp_path / "a.tif", 0.5) as slide:
        image = SlideImage(slide, 0.5)
        assert image.side == side
        told = simplejpeg.decode_jpeg(image.tile(11, 1, 1), "RGB")
        assert told.shape == (side, side, 3)


def test_a_tile_between_levels_is_what_is_read_but_for_a_grey_level(tmp_path, sample_tiff):
    with lp.open_slide(sample_tiff, 0.5) as slide:
        image, top = SlideImage(slide, 0.5), top_level(*slide.size)
        made = image._stored.halved(2, 1, 1)
        read = slide.read(lp.Box(512, 512, 512, 512), 1.0).astype(float)
        assert np.sqrt(np.mean((made - read) ** 2)) < 1.5
        assert np.abs((made - read).mean(axis=(0, 1))).max() < 0.5  # no tint
        assert image._stored.halved(2, 2, 2) is None  # the slide's edge
        assert image._stored.halved(4, 0, 0) is None  # a level of its own
        told = simplejpeg.decode_jpeg(image.tile(top - 1, 1, 1), "RGB")
        assert np.abs(told - read).mean() < 3


@pytest.fixture(scope="module")
def tissue():
    """1,300 x 1,300 px of the simulated slide."""
    with lp.open_slide(lp.sample()) as slide:
        return slide.read(lp.Box(1000, 1000, 1300, 1300), float(slide.mpp))


@pytest.fixture
def sample_tiff(tmp_path, tissue):
    _write(tmp_path / "b.tif", (tissue, np.ascontiguousarray(tissue[::4, ::4])))
    return tmp_path / "b.tif"


def _write(path, images, quality=80):
    with tifffile.TiffWriter(path) as file:
        for number, image in enumerate(images):
            file.write(
                image, tile=(256, 256), photometric="rgb", compression="jpeg", subsampling=(2, 2),
                compressionargs={"level": quality}, subfiletype=int(number > 0),
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_black_padding_between_levels_is_glass_as_ever(tmp_path, tissue, seed):
    chance = np.random.default_rng(seed)
    pixels = tissue[:768, :768].copy()
    edge = int(chance.integers(1, 500))
    black = (slice(edge, None),) if seed % 2 else (slice(None), slice(edge))
    pixels[black] = 0
    _write(tmp_path / "c.tif", (pixels,), quality=int(chance.integers(60, 95)))
    with lp.open_slide(tmp_path / "c.tif", 0.5) as slide:
        told = simplejpeg.decode_jpeg(SlideImage(slide, 0.5).tile(top_level(*slide.size) - 1, 0, 0), "RGB")
        read = slide.read(lp.Box(0, 0, 512, 512), 1.0)
    glass = read.min(axis=2) == 255
    assert np.abs(told.astype(int) - read).mean() < 3
    assert not glass.any() or told[glass].mean() > 250
