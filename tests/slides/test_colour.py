"""Glass where nothing was scanned, and colours by the file's own profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lowpower.slides import open_slide
from lowpower.slides._icc import colour_transform
from lowpower.slides._padding import fill_padding
from lowpower.units import Box

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(403, 301)


@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
def test_black_padding_becomes_glass(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, compression: str
) -> None:
    scan = image.copy()
    scan[:100] = scan[:, 300:] = 0
    scan[200:260, 40:90] = 0  # a tile that the stitching left out, on no tile's grid
    path = write_pyramid(tmp_path / "a.tif", scan, levels=3, compression=compression, tile=(64, 64))
    with open_slide(path) as slide:
        whole = slide.overview(0.25)
        assert (whole[:90] == 255).all()
        assert (whole[:, 320:] == 255).all()
        assert (whole[216:250, 50:79] == 255).all()
        kept = whole[120:190, 10:280].astype(int) - image[120:190, 10:280]
        assert np.abs(kept).max() <= (0 if compression == "zlib" else 90)
        dark = (whole.max(axis=2) < 20).mean()
        assert dark < 0.03  # only thin slivers, where padding ends inside a block
        # The same pixels, whatever box they are read in.
        part = slide.read(Box(33, 77, 311, 150), 0.25)
        assert np.array_equal(part, whole[77:227, 33:344])
        assert (slide.overview(1.0)[:16] == 255).all()


def test_dark_tissue_and_single_black_pixels_stay(image: NDArray[np.uint8]) -> None:
    pixels = image.copy()
    pixels[40:80, 40:80] = (2, 1, 1)
    pixels[::9, ::9] = 0
    assert fill_padding(pixels) is pixels


def test_nothing_is_copied_where_nothing_is_black(image: NDArray[np.uint8]) -> None:
    assert fill_padding(image) is image
    assert fill_padding(image[:1, :1]).shape == (1, 1, 3)


def _swapped_profile() -> bytes:
    """A profile whose red and green primaries are changed over: nobody could miss that it was applied."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {}
    for index in range(int.from_bytes(data[128:132], "big")):
        at = 132 + 12 * index
        tags[bytes(data[at : at + 4])] = (at, int.from_bytes(data[at + 4 : at + 8], "big"))
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red[0] + 4 : red[0] + 8] = green[1].to_bytes(4, "big")
    data[green[0] + 4 : green[0] + 8] = red[1].to_bytes(4, "big")
    return (
        bytes(data)
        .replace(b"s\0R\0G\0B", b"o\0t\0h\0r")
        .replace(b"\0s\0R\0G\0B", b"\0o\0t\0h\0r")
        .replace(b"sRGB built", b"othr built")
    )


def test_a_profile_is_applied(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    profile = _swapped_profile()
    assert colour_transform(profile) is not None
    options: dict[str, Any] = {
        "photometric": "rgb",
        "compression": "zlib",
        "tile": (64, 64),
        "metadata": None,
    }
    tifffile.imwrite(tmp_path / "a.tif", image, iccprofile=profile, **options)
    Image.fromarray(image).save(tmp_path / "a.png", icc_profile=profile)
    for name in ("a.tif", "a.png"):
        with open_slide(tmp_path / name, mpp=0.25) as slide:
            assert slide.icc_applied
            got = slide.read(Box(-10, 0, 110, 100), 0.25)
            assert (got[:, :9] == 255).all()
            difference = got[:, 10:].astype(int) - image[:100, :100][..., [1, 0, 2]]
            assert np.abs(difference).max() <= 2


def test_srgb_and_broken_profiles_change_nothing(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, profile in enumerate((srgb, b"nonsense" * 30)):
        path = tmp_path / f"{number}.png"
        Image.fromarray(image).save(path, icc_profile=profile)
        with open_slide(path, mpp=0.25) as slide:
            assert not slide.icc_applied
            assert np.array_equal(slide.overview(0.25), image)
    assert colour_transform(None) is None
