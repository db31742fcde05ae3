"""Pixels as they are stored, for every way of storing them, held against the source and against OpenSlide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lowpower.errors import MissingMppError, NotASlideError
from lowpower.slides import open_slide
from lowpower.units import Box

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(403, 301)


@pytest.mark.parametrize(
    ("compression", "tile", "options"),
    [
        (None, None, {}),
        (None, None, {"rowsperstrip": 16}),
        (None, (64, 64), {}),
        ("zlib", (64, 64), {"bigtiff": True}),
        ("zlib", (128, 48), {"order": ">"}),
        ("zlib", None, {"rowsperstrip": 7}),
        ("zlib", None, {"rowsperstrip": 301}),
        ("lzw", (64, 64), {"predictor": True}),
        ("lzw", None, {"rowsperstrip": 1}),
        ("zstd", (64, 64), {}),
        ("packbits", (64, 64), {}),
    ],
)
def test_lossless_tiffs_come_back_exactly(
    tmp_path: Path,
    image: NDArray[np.uint8],
    write_pyramid: Writer,
    compression: str | None,
    tile: tuple[int, int] | None,
    options: dict[str, Any],
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, compression=compression, tile=tile, **options)
    with open_slide(path) as slide:
        assert slide.backend == "tifffile"
        assert np.array_equal(slide.overview(0.25), image)
        for x, y, width, height in ((17, 5, 90, 80), (0, 0, 1, 1), (390, 290, 13, 11), (0, 64, 403, 64)):
            part = slide.read(Box(x, y, width, height), 0.25)
            assert np.array_equal(part, image[y : y + height, x : x + width])


@pytest.mark.parametrize("compression", ["jpeg", "zlib"])
def test_a_pyramid_agrees_with_openslide(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, compression: str
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, levels=3, compression=compression, tile=(64, 64))
    with open_slide(path) as slide, openslide.OpenSlide(path) as reference:
        assert slide._reader.stored.sizes == reference.level_dimensions
        assert slide.mpp == pytest.approx(float(reference.properties["openslide.mpp-x"]))
        factors = [level.downsample for level in slide.levels]
        assert factors == [1.0, 2.0, 4.0]
        for level, size in enumerate(reference.level_dimensions):
            want = np.asarray(reference.read_region((0, 0), level, size))[..., :3]
            got = slide._reader.read(level, 0, 0, *size)
            assert np.abs(got.astype(int) - want).max() <= 1


def test_both_libraries_open_what_we_call_a_pyramid(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    """Simulated slides are written like this; other people's software must open them with um/px."""
    import fastslide

    path = write_pyramid(tmp_path / "a.tif", image, levels=2, compression="jpeg")
    slide = fastslide.FastSlide.from_file_path(path)
    assert slide.mpp == pytest.approx((0.25, 0.25))
    assert len(slide.level_dimensions) == 2
    slide.close()


def test_aperio_agrees_with_openslide_across_tile_borders(real_slides: Path) -> None:
    path = real_slides / "cmu-1-small-region.svs"
    with open_slide(path) as slide, openslide.OpenSlide(path) as reference:
        for box in (Box(200, 200, 300, 300), Box(0, 0, 241, 239), Box(2100, 2800, 120, 167)):
            want = np.asarray(reference.read_region((box.x, box.y), 0, (box.width, box.height)))[..., :3]
            difference = slide.read(box, slide.mpp).astype(int) - want
            assert np.abs(difference).max() <= 3  # fastslide's faster JPEG arithmetic


def test_ome_levels_in_sub_directories(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as out:
        options: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb"}
        metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        out.write(image, subifds=2, metadata=metadata, **options)
        out.write(image[::2, ::2], subfiletype=1, **options)
        out.write(image[::4, ::4], subfiletype=1, **options)
    with open_slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0, 4.0]
        assert np.array_equal(slide.overview(2.0), image[::4, ::4][:75, :101])


def test_levels_are_told_from_other_images(
    tmp_path: Path, image: NDArray[np.uint8], picture: Callable[..., NDArray[np.uint8]]
) -> None:
    """A label page is no level, though fastslide takes it for one in a TIFF of strips."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "compression": "zlib"}
        out.write(picture(90, 100), description="label image", **options)
        out.write(image, resolution=(40_000, 40_000), resolutionunit="CENTIMETER", **options)
        out.write(image[::2, ::2], subfiletype=1, **options)
    with open_slide(path) as slide:
        assert [(level.width, level.height) for level in slide.levels] == [(403, 301), (202, 151)]
        assert slide.associated["label"].shape == (100, 90, 3)


def test_a_fourth_channel_is_alpha_only_if_declared(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    alpha[:100] = 0
    for extra, want in (("unassalpha", 255), ("unspecified", None)):
        path = tmp_path / f"{extra}.tif"
        tifffile.imwrite(
            path, np.concatenate([image, alpha], axis=2), photometric="rgb", extrasamples=[extra],
            tile=(64, 64), compression="zlib", metadata=None,
        )  # fmt: skip
        with open_slide(path, mpp=0.25) as slide:
            got = slide.overview(0.25)
            assert np.array_equal(got[100:], image[100:])
            assert (got[:100] == want).all() if want else np.array_equal(got, image)


@pytest.mark.parametrize(
    ("array", "photometric", "words"),
    [
        (np.zeros((90, 80), np.uint8), "minisblack", "greyscale"),
        (np.zeros((90, 80), np.uint16), "minisblack", "greyscale"),
        (np.zeros((90, 80, 3), np.uint16), "rgb", "16 bits"),
        (np.zeros((90, 80, 3), np.float32), "rgb", "32 bits"),
        (np.zeros((90, 80, 4), np.uint8), "separated", "CMYK"),
    ],
)
def test_tiffs_that_are_refused(tmp_path: Path, array: NDArray[Any], photometric: str, words: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric=photometric, metadata=None)
    with pytest.raises(NotASlideError, match=words):
        open_slide(path, mpp=0.25)


def test_one_huge_compressed_strip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    empty = imagecodecs.zlib_encode(b"\xff" * 1000)
    tifffile.imwrite(
        path, iter([empty]), shape=(30_000, 30_000, 3), dtype=np.uint8, photometric="rgb", metadata=None,
        compression="zlib", rowsperstrip=30_000,
    )  # fmt: skip
    with pytest.raises(NotASlideError, match="tiled TIFF"):
        open_slide(path, mpp=0.25)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_plain_images(tmp_path: Path, image: NDArray[np.uint8], suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(image).save(path, quality=95, dpi=(300, 300)) if suffix == ".jpg" else Image.fromarray(
        image
    ).save(path)
    with pytest.raises(MissingMppError, match="mpp="):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.backend, slide.mpp_source, slide.size) == ("image", "option", (403, 301))
        got = slide.overview(0.5)
        if suffix == ".jpg":
            assert np.array_equal(got, np.asarray(Image.open(path)))
        else:
            assert np.array_equal(got, image)
        assert dict(slide.associated) == {}
        with pytest.raises(KeyError):
            slide.associated["label"]


def test_exif_orientation_is_not_applied(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(image).save(path, exif=exif)
    with open_slide(path, mpp=0.25) as slide:
        assert slide.size == (403, 301)


def test_png_with_alpha_palette_and_16_bits(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:50] = 0
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "rgba.png")
    with open_slide(tmp_path / "rgba.png", mpp=0.25) as slide:
        got = slide.overview(0.25)
        assert (got[:50] == 255).all()
        assert np.array_equal(got[50:], image[50:])
    Image.fromarray(image).quantize(256).save(tmp_path / "palette.png")
    with open_slide(tmp_path / "palette.png", mpp=0.25) as slide:
        assert np.abs(slide.overview(0.25).astype(int) - image).mean() < 12
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(image.astype(np.uint16) * 257))
    with open_slide(tmp_path / "deep.png", mpp=0.25) as slide:
        assert np.array_equal(slide.overview(0.25), image)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", ".png"), ("1", ".png"), ("I;16", ".png"), ("L", ".jpg"), ("CMYK", ".jpg")]
)
def test_images_that_are_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (60, 50)).save(path)
    with pytest.raises(NotASlideError, match="needs 8-bit RGB"):
        open_slide(path, mpp=0.25)


def test_a_core_opens_fast_and_whole(real_cores: Path) -> None:
    path = next(real_cores.glob("blank_*.jpg"))
    with open_slide(path, mpp=0.25) as slide:
        assert slide.size == (5468, 5468)
        assert slide.overview(8.0).shape == (171, 171, 3)
