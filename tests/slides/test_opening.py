"""What opening says: where um/px came from, and one clear sentence for whatever cannot serve."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lowpower.errors import DamagedSlideError, InvalidMppError, MissingMppError, NotASlideError, SlideError
from lowpower.files import sha256_of
from lowpower.slides import Level, open_slide
from lowpower.slides._mpp import choose_mpp
from lowpower.slides._reader import MppClaim, Stored
from lowpower.units import Box

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(200, 150)


def _sentence(error: SlideError, path: Path) -> str:
    """The message, held to the rule: it begins with the file and is one sentence with one cure."""
    text = str(error)
    assert text.startswith(f"{path}")
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < len(str(path)) + 260
    return text


def test_an_option_wins_over_metadata(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, mpp=0.25)
    with open_slide(path) as slide, open_slide(path, mpp=0.5) as told:
        assert (slide.mpp, slide.mpp_source) == (0.25, "tiff.ResolutionUnit")
        assert (told.mpp, told.mpp_source) == (0.5, "option")
        assert told.levels == (Level(200, 150, 1.0, 0.5),)


@pytest.mark.parametrize("mpp", [0, -0.25, float("nan"), float("inf"), 50, 0.01])
def test_an_implausible_option_is_refused(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, mpp: float
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image)
    with pytest.raises(InvalidMppError) as raised:
        open_slide(path, mpp=mpp)
    assert "mpp=0.25" in _sentence(raised.value, path)


@pytest.mark.parametrize("value", [50.0, 0.001, 900.0])
def test_an_implausible_resolution_in_centimetres_is_refused(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, value: float
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image, mpp=value)
    error = InvalidMppError if value < 1000 else MissingMppError
    with pytest.raises(error) as raised:
        open_slide(path)
    assert "tiff.ResolutionUnit" in _sentence(raised.value, path)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), 50.0])
def test_implausible_metadata_is_refused(value: float) -> None:
    stored = Stored(((9, 9),), (9,), Box(0, 0, 9, 9), claims=(MppClaim("aperio.MPP", value, value),))
    with pytest.raises(InvalidMppError, match=r"aperio\.MPP"):
        choose_mpp(Path("a.svs"), None, stored)


def test_pixels_that_are_not_square_are_refused() -> None:
    def stored(y: float) -> Stored:
        return Stored(((9, 9),), (9,), Box(0, 0, 9, 9), claims=(MppClaim("k", 0.25, y),))

    assert choose_mpp(Path("a"), None, stored(0.26)) == (0.255, "k")
    with pytest.raises(InvalidMppError, match="5 % apart"):
        choose_mpp(Path("a"), None, stored(0.27))


@pytest.mark.parametrize("dpi", [72, 96, 300, 1200, 2400])
def test_a_printers_default_resolution_is_no_um_per_px(
    tmp_path: Path, image: NDArray[np.uint8], dpi: int
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, resolution=(dpi, dpi), resolutionunit="INCH", metadata=None, photometric="rgb"
    )
    with pytest.raises(MissingMppError) as raised:
        open_slide(path)
    assert "tiff.ResolutionUnit" in _sentence(raised.value, path)


@pytest.mark.parametrize(
    ("size", "unit", "mpp"),
    [(0.25, "µm", 0.25), (0.25, None, 0.25), (250, "nm", 0.25), (0.0005, "mm", 0.5), (1e-4, "cm", 1.0)],
)
def test_ome_sizes_in_any_unit(
    tmp_path: Path, image: NDArray[np.uint8], size: float, unit: str | None, mpp: float
) -> None:
    metadata = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": size}
    if unit is not None:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, image, metadata=metadata, photometric="rgb", tile=(64, 64))
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(mpp)
        assert slide.mpp_source == "ome.PhysicalSizeX"


def test_ome_without_a_length_is_missing(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}
    tifffile.imwrite(path, image, metadata=metadata, photometric="rgb")
    with pytest.raises(MissingMppError, match=r"ome\.PhysicalSizeX"):
        open_slide(path)


def test_imagej_counts_in_microns(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, imagej=True, resolution=(4, 4), metadata={"unit": "um", "axes": "YXS"})
    with open_slide(path) as slide:
        assert (slide.mpp, slide.mpp_source) == (pytest.approx(0.25), "imagej.unit")


def test_aperio(real_slides: Path) -> None:
    path = real_slides / "cmu-1-small-region.svs"
    with open_slide(path) as slide:
        assert (slide.backend, slide.vendor, slide.scanner) == ("tifffile", "aperio", "CPAPERIOCS")
        assert (slide.mpp, slide.mpp_source) == (0.499, "aperio.MPP")
        assert slide.size == (2220, 2967)
        assert {name: image.shape for name, image in slide.associated.items()} == {
            "label": (463, 387, 3),
            "macro": (431, 1280, 3),
            "thumbnail": (768, 574, 3),
        }
        assert slide.content_hash() == sha256_of(path)
        with pytest.raises(KeyError):
            slide.associated["barcode"]


def test_aperio_without_um_per_px_names_the_keys(real_slides: Path) -> None:
    path = real_slides / "tcga-cr-7395-01a-01-ts1.svs"
    with pytest.raises(MissingMppError) as raised:
        open_slide(path)
    assert "aperio.MPP" in _sentence(raised.value, path)
    with open_slide(path, mpp=0.25) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        assert not slide.icc_applied  # its profile is sRGB already


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotASlideError, match="does not exist"):
        open_slide(tmp_path / "no.svs")


def test_a_folder(tmp_path: Path, real_slides: Path) -> None:
    for folder in (tmp_path, real_slides):
        with pytest.raises(NotASlideError) as raised:
            open_slide(folder)
        assert "folder" in _sentence(raised.value, folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"slide,patient\na.svs,7\n" * 20, "text file"),
        (bytes(range(256)) * 40, "no slide format"),
        (b"\0" * 5000, "no slide format"),
    ],
    ids=["empty", "text", "bytes", "zeros"],
)
@pytest.mark.parametrize(
    "name", ["a.svs", "a.ndpi", "a.tif", "a.png", "a.dcm", "a.bif", "a.czi", "a.mrxs", "a"]
)
def test_what_is_no_slide(
    tmp_path: Path, content: bytes, words: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NotASlideError) as raised:
        open_slide(path)
    text = _sentence(raised.value, path)
    assert (words if not name.endswith(".mrxs") else "Slidedat.ini") in text
    assert capfd.readouterr() == ("", "")


def test_a_file_without_permission(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pyramid(tmp_path / "a.tif", image)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    if os.geteuid() == 0:  # root may read everything
        monkeypatch.setattr(Path, "open", denied)
    else:
        path.chmod(0)
    with pytest.raises(NotASlideError, match="permission"):
        open_slide(path)


def test_a_slide_by_another_name(tmp_path: Path, real_slides: Path) -> None:
    shutil.copy(real_slides / "cmu-1-small-region.svs", tmp_path / "renamed")
    with open_slide(tmp_path / "renamed") as slide:
        assert slide.mpp == 0.499


def test_closing_twice_and_forgetting(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Writer
) -> None:
    slide = open_slide(write_pyramid(tmp_path / "a.tif", image))
    assert "0.25 um/px" in repr(slide)
    slide.overview(1.0)
    slide.close()
    slide.close()
    forgotten = open_slide(slide.path)
    forgotten.overview(1.0)
    del forgotten  # closes itself: an unclosed file would be an error here


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b\x08" + bytes(200), "gzip: unpack"),
        (b"PK\x03\x04" + bytes(200), "ZIP archive: unpack"),
        (b"RIFF\0\0\0\0WEBP" + bytes(200), "WebP"),
        (b"\0\0\0\x18ftypheic" + bytes(200), "HEIC"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n" * 4, "git lfs pull"),
        (b"<!DOCTYPE html><html>403 Forbidden</html>" * 9, "web page"),
    ],
)
def test_what_is_often_given_instead_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.svs").write_bytes(content)
    with pytest.raises(NotASlideError, match=words):
        open_slide(tmp_path / "a.svs")


def test_a_tiff_that_claims_more_tiles_than_it_has_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    image = np.full((512, 512, 3), 200, np.uint8)
    tifffile.imwrite(path, image, tile=(256, 256), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(60000)
    with pytest.raises(DamagedSlideError, match="needs 55,225 tiles, and it has 4"):
        open_slide(path, mpp=0.5)


@pytest.mark.parametrize("name", ["a.tif", "a.svs"])
def test_a_tile_that_no_memory_could_hold_is_damage(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    image, mpp = np.full((512, 512, 3), 200, np.uint8), "Aperio x|MPP = 0.5"
    with tifffile.TiffWriter(path) as out:
        for number in (0, 1):
            out.write(
                image[:: 2**number, :: 2**number], tile=(256, 256), photometric="rgb", compression="jpeg",
                metadata=None, subfiletype=number, description=mpp,
            )  # fmt: skip
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[1].tags["TileLength"].overwrite(973078784)
    with pytest.raises(DamagedSlideError, match="claims tiles of 256 x 973,078,784 px for a 256 x 256 image"):
        open_slide(path, mpp=0.5)


def test_what_needs_more_memory_than_there_is_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lowpower.slides._open._reader", full)
    with pytest.raises(DamagedSlideError, match="takes more memory than there is; give it more memory"):
        open_slide(tmp_path / "a.svs")


def test_a_colour_profile_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 64), (200, 180, 190))
    picture.save(tmp_path / "a.png", icc_profile=b"no profile" * 20)
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert any("colour profile cannot be read" in note for note in slide.notes)
