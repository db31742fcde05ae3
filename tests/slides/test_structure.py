"""What a TIFF says of its pages: levels, label and macro, scenes, focal planes, colours stored apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowpower.errors import NotASlideError, StructureError
from lowpower.slides import open_slide
from lowpower.units import Box

Pixels = NDArray[np.uint8]
RED = (250, 5, 5)
OPTIONS: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
PX_PER_CM = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
APERIO = "Aperio Image Library v11.2.1\r\n512x512 (64x64) Deflate/RGB|AppMag = 20|MPP = 0.5"


@pytest.fixture(scope="module")
def image(picture: Callable[..., Pixels]) -> Pixels:
    return picture(512, 512)


def label(side: int) -> Pixels:
    return np.full((side, side, 3), RED, np.uint8)


def at_two_microns(path: Path) -> NDArray[np.float64]:
    with open_slide(path) as slide:
        return slide.overview(2.0).mean(axis=(0, 1))


@pytest.mark.parametrize("name", ["label", "Macro image", "thumbnail", "slide overview"])
@pytest.mark.parametrize("first", [True, False])
def test_an_ome_label_is_never_a_level(tmp_path: Path, image: Pixels, name: str, first: bool) -> None:
    path = tmp_path / "a.ome.tif"

    def write_slide(out: tifffile.TiffWriter) -> None:
        out.write(
            image, subifds=1, metadata={"axes": "YXS", "Name": "slide", "PhysicalSizeX": 0.5}, **OPTIONS
        )
        out.write(image[::2, ::2], subfiletype=1, **OPTIONS)

    with tifffile.TiffWriter(path, ome=True) as out:
        if not first:
            write_slide(out)
        out.write(label(128), metadata={"axes": "YXS", "Name": name, "PhysicalSizeX": 8.0}, **OPTIONS)
        if first:
            write_slide(out)
    with open_slide(path) as slide:
        assert (slide.mpp, slide.size) == (0.5, (512, 512))
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        [(called, other)] = slide.associated.items()
        assert called in name.lower()
        assert other.shape == (128, 128, 3)
        assert slide.notes == ()
    assert np.abs(at_two_microns(path) - image.mean(axis=(0, 1))).max() < 3


@pytest.mark.parametrize("subfiletype", [0, 1])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_plain_label_page_is_never_a_level(
    tmp_path: Path, image: Pixels, subfiletype: int, order: int
) -> None:
    path = tmp_path / "a.tif"
    pages = [
        (image, {**PX_PER_CM}),
        (image[::2, ::2], {"subfiletype": 1}),
    ]
    pages.insert(order, (label(128), {"subfiletype": subfiletype, "description": "label"}))
    with tifffile.TiffWriter(path) as out:
        for pixels, more in pages:
            out.write(pixels, metadata=None, **OPTIONS, **more)
    with open_slide(path) as slide:
        assert (slide.mpp, slide.size) == (0.5, (512, 512))
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        assert list(slide.associated) == ["label"]
    assert np.abs(at_two_microns(path) - image.mean(axis=(0, 1))).max() < 3


def test_a_tiled_label_in_an_aperio_file(tmp_path: Path, image: Pixels) -> None:
    path = tmp_path / "a.svs"
    with tifffile.TiffWriter(path) as out:
        out.write(image, description=APERIO, metadata=None, **OPTIONS)
        out.write(
            label(256), description="Aperio Image Library v11.2.1\r\nlabel 256x256", metadata=None, **OPTIONS
        )
    with open_slide(path) as slide:
        assert len(slide.levels) == 1
        assert list(slide.associated) == ["label"]
        assert np.abs(slide.overview(1.0).mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 3


@pytest.mark.parametrize("kind", ["page", "SubIFD", "aperio"])
def test_a_level_that_shows_something_else_is_refused_by_name(
    tmp_path: Path, image: Pixels, kind: str
) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        description = APERIO if kind == "aperio" else None
        out.write(image, subifds=int(kind == "SubIFD"), description=description, metadata=None, **OPTIONS)
        out.write(label(128), subfiletype=1, metadata=None, **OPTIONS)
    with pytest.raises(StructureError, match=r"128 x 128 px\) is declared a smaller copy") as raised:
        open_slide(path, mpp=0.5)
    assert ("SubIFD 1 of page 1" if kind == "SubIFD" else "page 2") in str(raised.value)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1000),
    factors=st.lists(st.sampled_from([2, 3, 4]), min_size=1, max_size=3),
    how=st.sampled_from(["nearest", "area"]),
    quality=st.sampled_from([30, 90]),
    pale=st.booleans(),
)
def test_true_levels_are_never_refused(
    tmp_path: Path,
    picture: Callable[..., Pixels],
    seed: int,
    factors: list[int],
    how: str,
    quality: int,
    pale: bool,
) -> None:
    level = picture(400, 300, seed)
    if pale:
        level = (225 + level / 9).astype(np.uint8)
        level[:, 120:] = 244
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        for number, factor in enumerate([1, *factors]):
            height, width = (side // factor * factor for side in level.shape[:2])
            level = level[:height, :width]
            if how == "nearest":
                level = level[::factor, ::factor]
            else:
                blocks = level.reshape(height // factor, factor, width // factor, factor, 3)
                level = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
            out.write(
                level, subfiletype=int(number > 0), metadata=None, tile=(64, 64), photometric="rgb",
                compression="jpeg", compressionargs={"level": quality},
            )  # fmt: skip
    with open_slide(path, mpp=0.25) as slide:
        assert len(slide.levels) == 1 + len(factors)


def two_scenes(path: Path, image: Pixels, other: Pixels, **metadata: Any) -> Path:
    with tifffile.TiffWriter(path, ome=True) as out:
        for name, pixels, mpp in (("left", other, 1.0), ("right", image, 0.5)):
            more = {"axes": "YXS", "Name": name, "PhysicalSizeX": mpp, **metadata}
            out.write(pixels, metadata=more, **OPTIONS)
    return path


def test_scenes_are_named_and_chosen(tmp_path: Path, image: Pixels) -> None:
    other = np.ascontiguousarray(255 - image[:256, :256])
    path = two_scenes(tmp_path / "a.ome.tif", image, other)
    with open_slide(path) as slide:
        assert (slide.scenes, slide.scene) == (("left", "right"), "right")
        assert (slide.size, slide.mpp, len(slide.levels)) == ((512, 512), 0.5, 1)
        assert "2 scenes (1 'left', 2 'right'); 'right' is read" in slide.notes[0]
    for choice in ("left", "LEFT", "1", 1):
        with open_slide(path, scene=choice) as slide:
            assert (slide.size, slide.mpp, slide.scene, slide.notes) == ((256, 256), 1.0, "left", ())
            assert np.array_equal(slide.overview(1.0), other)
    for wrong in ("middle", "3", "0"):
        with pytest.raises(StructureError, match=f"has no scene '{wrong}'; it has the scenes 1 'left'"):
            open_slide(path, scene=wrong)


def test_older_ome_files_store_levels_as_images(tmp_path: Path, image: Pixels) -> None:
    path = two_scenes(tmp_path / "a.ome.tif", image, image[::2, ::2])
    with open_slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        assert slide.scenes == ("right",)


def test_a_full_page_beside_the_slide_is_a_scene(tmp_path: Path, image: Pixels) -> None:
    """Nothing says that it is a level, so it is none, though it would fit."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        for pixels in (image, image[::2, ::2]):
            out.write(pixels, metadata=None, **OPTIONS, **PX_PER_CM)
    with open_slide(path) as slide:
        assert len(slide.levels) == 1
        assert slide.scenes == ("page 1", "page 2")


def grey_planes(count: int, side: int = 128) -> Pixels:
    return np.stack([np.full((side, side, 3), 40 + 30 * i, np.uint8) for i in range(count)])


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("kind", ["ome", "imagej", "axes"])
def test_the_middle_focal_plane_is_read_with_a_note(tmp_path: Path, count: int, kind: str) -> None:
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    planes = grey_planes(count)
    if kind == "imagej":
        tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYXS"})
    else:
        tifffile.imwrite(path, planes, photometric="rgb", tile=(64, 64), metadata={"axes": "ZYXS"})
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.planes, slide.plane) == (count, count // 2 + 1)
        assert f"{count} focal planes; the middle one, {count // 2 + 1}, is read" in slide.notes[0]
        assert (slide.overview(0.5) == 40 + 30 * (count // 2)).all()
    for plane in range(1, count + 1):
        with open_slide(path, mpp=0.5, plane=plane) as slide:
            assert (slide.overview(0.5) == 10 + 30 * plane).all()
            assert slide.notes == ()
    with pytest.raises(StructureError, match=f"no focal plane {count + 1}; it has focal planes 1 to {count}"):
        open_slide(path, mpp=0.5, plane=count + 1)


def test_each_focal_plane_has_levels_of_its_own(tmp_path: Path, image: Pixels) -> None:
    path = tmp_path / "a.ome.tif"
    planes = np.stack([image, image[::-1]])
    with tifffile.TiffWriter(path, ome=True) as out:
        out.write(planes, subifds=1, metadata={"axes": "ZYXS", "PhysicalSizeX": 0.5}, **OPTIONS)
        out.write(planes[:, ::2, ::2], subfiletype=1, **OPTIONS)
    with open_slide(path, plane=2) as slide:
        assert np.array_equal(slide.overview(1.0), image[::-1][::2, ::2])


def test_one_of_one(tmp_path: Path, image: Pixels, write_pyramid: Callable[..., Path]) -> None:
    path = write_pyramid(tmp_path / "a.tif", image)
    with open_slide(path, scene="1", plane=1) as slide:
        assert (slide.planes, slide.plane, slide.notes) == (1, 1, ())
    with pytest.raises(StructureError, match="it has one scene"):
        open_slide(path, scene="2")
    with pytest.raises(StructureError, match="it has one focal plane"):
        open_slide(path, plane=2)


@pytest.mark.parametrize("tile", [(64, 64), None])
@pytest.mark.parametrize("compression", [None, "zlib", "jpeg"])
@pytest.mark.parametrize("how", ["pages", "planes"])
def test_red_green_and_blue_stored_apart(
    tmp_path: Path, image: Pixels, how: str, compression: str | None, tile: tuple[int, int] | None
) -> None:
    if compression == "jpeg" and tile is None:
        pytest.skip("tifffile writes no such strips")
    path = tmp_path / "a.ome.tif"
    apart = np.moveaxis(image, 2, 0)
    axes, photometric = ("CYX", "minisblack") if how == "pages" else ("SYX", "rgb")
    options: dict[str, Any] = {"tile": tile, "compression": compression, "photometric": photometric}
    with tifffile.TiffWriter(path, ome=True) as out:
        out.write(apart, subifds=1, metadata={"axes": axes, "PhysicalSizeX": 0.5}, **options)
        out.write(np.ascontiguousarray(apart[:, ::2, ::2]), subfiletype=1, **options)
    with open_slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        assert (slide.notes != ()) == (how == "pages")
        for box in (Box(0, 0, 512, 512), Box(50, 60, 70, 33)):
            got = slide.read(box, 0.5).astype(int)
            want = image[box.y : box.bottom, box.x : box.right]
            assert np.abs(got - want).mean() < (6 if compression == "jpeg" else 1e-9)


@pytest.mark.parametrize(
    "channels",
    [
        {"Name": ["DAPI", "FITC", "Cy3"]},
        {"EmissionWavelength": [460, 520, 570]},
        {"Name": ["Blue", "Green", "Red"]},
    ],
)
def test_channels_that_are_no_rgb_are_refused(
    tmp_path: Path, image: Pixels, channels: dict[str, list[Any]]
) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "Channel": channels}
    tifffile.imwrite(path, np.moveaxis(image, 2, 0), photometric="minisblack", metadata=metadata)
    with pytest.raises(NotASlideError, match="greyscale"):
        open_slide(path)


@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_is_composed_as_it_is_declared(tmp_path: Path, image: Pixels, extra: str, planar: str) -> None:
    alpha = np.linspace(0, 255, 512).round().astype(np.uint8)[None, :, None] * np.ones((512, 1, 1), np.uint8)
    share = alpha / 255
    want = image * share + 255 * (1 - share)
    colour = np.round(image * share).astype(np.uint8) if extra == "assocalpha" else image
    pixels = np.concatenate([colour, alpha], axis=2)
    if planar == "separate":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        planarconfig=planar,
        extrasamples=[extra],
        tile=(64, 64),
        metadata=None,
    )
    with open_slide(path, mpp=0.5) as slide:
        assert np.abs(slide.overview(0.5) - want).max() <= 1


def test_a_file_with_a_label_only_is_read_with_a_word(tmp_path: Path, image: Pixels) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="rgb", metadata=None, description="label")
    with open_slide(path, mpp=0.5) as slide:
        assert np.array_equal(slide.overview(0.5), image)
        assert "called 'label'" in slide.notes[0]


def test_a_larger_label_is_no_slide(tmp_path: Path, image: Pixels) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(label(600), description="label", metadata=None, **OPTIONS)
        out.write(image, metadata=None, **OPTIONS, **PX_PER_CM)
    with open_slide(path) as slide:
        assert slide.size == (512, 512)
        assert "largest image (600 x 600 px) is called 'label'" in slide.notes[0]
