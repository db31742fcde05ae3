"""Opening a file with the first backend that serves it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lowpower.errors import (
    ConfigError,
    DamagedSlideError,
    LowpowerError,
    NotASlideError,
    SlideError,
    StructureError,
    address_of,
)
from lowpower.slides._choice import Choice
from lowpower.slides._folder import MAY_NOT, find_slides, without_slides
from lowpower.slides._in_storage import told_as
from lowpower.slides._looks import unlike_level
from lowpower.slides._mpp import choose_mpp
from lowpower.slides._reader import Reader, Stored
from lowpower.slides._slide import Slide
from lowpower.storage import copied, is_folder, is_there, missing, place

if TYPE_CHECKING:
    from lowpower.slides.tiff import TiffLayout

__all__ = ["open_reader", "open_slide", "opened"]

Opener = Callable[[], Reader]
_GIVE_A_SLIDE = "give a slide (SVS, NDPI, MRXS, TIFF, DICOM) or an image (PNG, JPEG)."
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM")
_TEXT_SHARE = 0.95
_SENSELESS = (
    ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What parsers raise of a field that cannot be: a tile of no height, a photometric that is none."""
_INSTEAD = {
    b"\x1f\x8b": "is compressed with gzip: unpack it first",
    b"PK\x03\x04": "is a ZIP archive: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
    b"Rar!": "is a RAR archive: unpack it first",
    b"GIF8": "is a GIF image, which has too few colours",
    b"RIFF": "is a WebP image, which cannot be read: save it as PNG",
    b"ftyp": "is a HEIC or AVIF image, which cannot be read: save it as PNG",
    b"%PDF": "is a PDF",
    b"\x89HDF": "is HDF5: features or a table, no pixels of a slide",
}
"""First bytes of what is often given instead of a slide (from byte 4 on for ftyp)."""


def open_slide(
    path: str | Path,
    mpp: float | None = None,
    *,
    scene: str | int | None = None,
    plane: int | None = None,
    threads: int = 2,
) -> Slide:
    """Open a slide or a plain image; close it, or use it as a context manager.

    Args:
        path: SVS, NDPI, MRXS, TIFF, OME-TIFF, DICOM (a folder, or any file of a series), or a
            PNG/JPEG/BMP/TIFF field of view. An address (s3://bucket/a.svs) is copied into the cache first,
            and stays there while the slide is open.
        mpp: Microns per pixel of the finest level, overriding the file's metadata.
        scene: Name or number (from 1) of the scene or optical path; the largest if None.
        plane: Number (from 1) of the focal plane; the middle one if None.
        threads: Threads that decode one large read.

    Raises:
        NotASlideError: if it is missing, a folder, empty, unreadable, or no known format.
        DamagedSlideError: if it is a slide, but truncated or corrupt.
        MissingMppError: if neither the file nor `mpp` says the microns per pixel.
        InvalidMppError: if they are not plausible.
        StructureError: if there is no such scene or plane, a part of the slide is missing, or a page that is
            declared a level shows something else.
        StorageError: if the storage cannot be reached, or the slide finds no room in the cache.
    """
    path = place(path)
    choice = Choice(None if scene is None else str(scene), plane)
    address = address_of(path)
    with contextlib.ExitStack() as opening:
        copy = None
        if address is not None:
            if not is_there(path):
                raise NotASlideError(path, missing(address))
            if is_folder(path) and find_slides(path) != [path]:
                raise NotASlideError(path, _folder_instead(path))
            copy = opening.enter_context(copied(path))
        file = path if copy is None else copy.file
        with told_as(path, file):
            reader = open_reader(file, choice)
            opening.callback(reader.close)
            value, source = choose_mpp(path, mpp, reader.stored)
        return Slide(path, reader, value, source, threads, copy, opening.pop_all().close)


def open_reader(path: Path, choice: Choice) -> Reader:
    """Pixels and metadata of `path`, its levels looked at; raises what `open_slide` does, but for um/px.

    Backends are imported when needed: each takes a while to load.
    """
    try:
        return _reader(path, choice)
    except LowpowerError:
        raise
    except MemoryError as error:
        raise DamagedSlideError(
            path,
            "to open it takes more memory than there is; give it more memory, or copy or export it again if "
            "the file should be small.",
        ) from error
    except _SENSELESS as error:
        why = f"what it says of itself makes no sense ({type(error).__name__}: {error})"
        raise DamagedSlideError(path, f"{why}; copy or export it again.") from error


def _reader(path: Path, choice: Choice) -> Reader:
    kind = _sniff(path)
    if kind == "dicom":
        return _open_dicom(path, choice)
    if kind == "tiff" and path.suffix.lower() != ".vsi":
        return _open_tiff(path, choice)
    choice.scene_of(path, ("1",))
    choice.plane_of(path, 1)
    if kind == "image":
        from lowpower.slides._image import ImageReader

        return ImageReader(path)
    return _looked_at(path, _first(path, [_fastslide(path), _openslide(path)]))


def _open_tiff(path: Path, choice: Choice) -> Reader:
    from lowpower.slides.tiff import TiffReader
    from lowpower.slides.vendor import FastSlideReader, OpenSlideReader

    layout = _layout(path, choice)
    own: Opener = lambda: TiffReader(path, layout)  # noqa: E731
    openslide: Opener = lambda: OpenSlideReader(path, layout)  # noqa: E731
    if layout.kind == "vendor":
        openers: list[Opener] = [lambda: FastSlideReader(path, layout), openslide]
    else:
        # No vendor's secrets here, and fastslide falls short: see docs/adr/0001-slide-readers.md.
        openers = [own, openslide] if layout.kind == "aperio" else [own]
    try:
        reader = _first(path, openers)
    except Exception:
        layout.file.close()
        raise
    if not isinstance(reader, TiffReader):
        layout.file.close()
    return _looked_at(path, reader, layout.where if reader.stored.sizes == layout.sizes else ())


def _layout(path: Path, choice: Choice) -> TiffLayout:
    """The layout for a choice; images of OME-XML are joined to a pyramid only if they look like one."""
    from lowpower.slides.tiff import TiffReader, read_layout

    layout = read_layout(path)
    join = True
    if layout.joined:
        with contextlib.suppress(SlideError), contextlib.closing(TiffReader(path, layout)) as reader:
            join = unlike_level(reader) is None  # what is wrong is told by whoever reads the chosen scene
    if not layout.joined and choice == Choice():
        return layout
    layout.file.close()
    return read_layout(path, choice, join=join)


def _open_dicom(path: Path, choice: Choice) -> Reader:
    from lowpower.slides.dicom import FrameReader, WsiDicomReader, arrange, describe, read_series

    slide = arrange(path, read_series(path), choice)
    base = slide.levels[0].parts[0]
    where = tuple(level.parts[0].path.name for level in slide.levels)
    own: Opener = lambda: FrameReader(slide)  # noqa: E731
    others: list[Opener] = [_openslide(base.path, describe(slide)), lambda: WsiDicomReader(path, slide)]
    return _looked_at(path, _first(path, [own, *others] if slide.simple else [own]), where)


def _looked_at(path: Path, reader: Reader, where: tuple[str, ...] = ()) -> Reader:
    """`reader`, if each of its levels shows what the finer one shows.

    Raises:
        StructureError: naming the level that does not.
    """
    level = unlike_level(reader)
    if level is None:
        return reader
    reader.close()
    damaged = reader.damage.tiles()
    if damaged:
        lost = f"{damaged[0].name} and {len(damaged) - 1} more are damaged ({damaged[0].reason})"
        raise DamagedSlideError(path, f"{lost}: its levels no longer agree; copy or export it again.")
    width, height = reader.stored.sizes[level]
    name = f"{where[level]} ({width} x {height} px)" if where else f"level {level} ({width} x {height} px)"
    raise StructureError(
        path,
        f"{name} is declared a smaller copy of the slide but does not show what the slide shows; "
        "export it again, with labels and macros named as such.",
    )


def _folder_instead(path: Path) -> str:
    """What to say of a folder that is no DICOM slide."""
    slides = find_slides(path)
    if not slides:
        return without_slides(path)
    count = "1 slide" if len(slides) == 1 else f"{len(slides)} slides"
    return f"is a folder with {count}, for instance {slides[0].name}; name one of them."


def _fastslide(path: Path) -> Opener:
    def opener() -> Reader:
        from lowpower.slides.vendor import FastSlideReader

        return FastSlideReader(path)

    return opener


def _openslide(path: Path, about: Stored | None = None) -> Opener:
    def opener() -> Reader:
        from lowpower.slides.vendor import OpenSlideReader

        return OpenSlideReader(path, about=about)

    return opener


def _first(path: Path, openers: list[Opener]) -> Reader:
    """The first reader that opens; if none does, what is wrong with the file."""
    problems: list[SlideError] = []
    for opener in openers:
        try:
            return opener()
        except SlideError as error:
            if isinstance(error, DamagedSlideError) and error.__cause__ is None:
                raise  # seen in the file itself, not a library's complaint: no other will read it rightly
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    damaged = next((problem for problem in problems if isinstance(problem, DamagedSlideError)), None)
    if damaged is not None:
        raise damaged
    raise NotASlideError(path, f"{_instead(path)}; {_GIVE_A_SLIDE}") from problems[-1]


def _instead(path: Path) -> str:
    """What a file is instead of a slide, where its first bytes say so."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        head = stream.read(16)
        for begins, what in _INSTEAD.items():
            if head[4 if begins == b"ftyp" else 0 :].startswith(begins):
                return what
    return "is no slide format that can be read"


def _sniff(path: Path) -> Literal["image", "dicom", "tiff", "other"]:
    """What a file is, by its first bytes, whatever its name says.

    Raises:
        NotASlideError: if it is missing, unreadable, empty, a folder without DICOM, or text.
    """
    if os.path.isdir(path):
        from lowpower.slides.dicom import is_dicom

        if not os.access(path, os.R_OK | os.X_OK):
            raise NotASlideError(path, MAY_NOT)
        files = [is_dicom(file) for file in path.iterdir() if file.is_file()]
        if files and 2 * sum(files) >= len(files):
            return "dicom"
        raise NotASlideError(path, _folder_instead(path))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NotASlideError(path, f"is a pipe or a device, no file; {_GIVE_A_SLIDE}")
        with path.open("rb") as stream:
            head = stream.read(4096)
    except FileNotFoundError:
        what = "is a link to what does not exist" if path.is_symlink() else "does not exist"
        raise NotASlideError(path, f"{what}; check the path.") from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NotASlideError(path, MAY_NOT) from error
        raise NotASlideError(path, f"cannot be read ({error.strerror}); check the disk.") from error
    if path.suffix.lower() == ".mrxs":
        folder = path.with_suffix("")
        if not (folder / "Slidedat.ini").is_file():
            raise NotASlideError(
                path, f"lacks its data folder {folder.name} with Slidedat.ini; copy both side by side."
            )
        return "other"
    if not head:
        raise NotASlideError(path, "is empty (0 bytes); copy or export it again.")
    if head.startswith(_TIFF_MAGIC):
        return "tiff"
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith(_IMAGE_MAGIC):
        return "image"
    known = path.suffix.lower() in {".vms", ".vmu"}  # Hamamatsu's index files are text
    printable = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    if printable >= _TEXT_SHARE * len(head) and not known:
        begins = head.lstrip()[:40].lower()
        if begins.startswith(b"version https://git-lfs"):
            raise NotASlideError(path, "is a pointer of Git LFS, not the slide; get it with: git lfs pull")
        if begins.startswith((b"<!doctype html", b"<html")):
            raise NotASlideError(path, "is a web page, not a slide: its download failed; fetch it again.")
        raise NotASlideError(path, f"is a text file, not a slide; {_GIVE_A_SLIDE}")
    return "other"


@contextlib.contextmanager
def opened(
    slide: Slide | str | Path, mpp: float | None = None, scene: str | None = None, plane: int | None = None
) -> Iterator[Slide]:
    """The slide itself where it is open; a file is opened, and closed again.

    Args:
        slide: An open slide, or a file.
        mpp: um/px of a file, over what it says.
        scene: Of a file, as `open_slide` takes it; so too `plane`.
        plane: Of a file.

    Raises:
        SlideError: the file cannot be opened.
        ConfigError: `mpp`, `scene` or `plane` is given for a slide that is open at another.
    """
    if isinstance(slide, str | Path):
        with open_slide(slide, mpp=mpp, scene=scene, plane=plane) as one:
            yield one
        return
    if mpp is not None and mpp != slide.mpp:
        raise ConfigError(
            f"{slide.path}: is open at {slide.mpp:g} um/px, and {mpp:g} is asked for; say so where it is "
            "opened."
        )
    if (scene is not None and scene != slide.scene) or (plane is not None and plane != slide.plane):
        raise ConfigError(
            f"{slide.path}: is open at scene '{slide.scene}', plane {slide.plane}, and another is asked for; "
            "say so where it is opened."
        )
    yield slide
