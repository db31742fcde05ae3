"""Which slides a folder holds."""

from __future__ import annotations

import fnmatch
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lowpower.errors import address_of
from lowpower.slides._in_storage import walk_stored

__all__ = [
    "BOOKS",
    "MAY_NOT",
    "PICTURE_ENDINGS",
    "SLIDE_ENDINGS",
    "find_slides",
    "slide_name",
    "without_slides",
]

BOOKS: Final = ".lowpower"
"""Folder with which this software marks a folder of results."""
MAY_NOT: Final = "may not be read; ask for permission to read it."
_RECORDS: Final = ("result.json", "measurement.json")
_HALF_DONE: Final = {"overlay.png", "cells.png", "quality.png", "error.txt"}
_WITH_DATA_FOLDER: Final = (".mrxs", ".vsi")
_SERIES: Final = (".dcm", ".dicom")


def find_slides(folder: Path, pattern: str | None = None) -> list[Path]:
    """The slides in a folder and below it, by path.

    Args:
        folder: Where to look; an address too, where DICOM is told by its ending and a folder of it is one
            series.
        pattern: Only names that match, for instance `*_HER2.svs`; matched against the path below
            `folder` where it holds a slash. Without one, what ends like a slide.

    Returns:
        Files; for DICOM the folder of a series, or one file of each where several share a folder. Pictures
        beside a slide of their name (masks, thumbnails), hidden files and this software's own results are
        left out. A folder that may not be read is among them: what it holds must not be missed in silence.
    """
    unread: list[Path] = []
    found = [path for path in _below(folder, unread) if _wanted(path, folder, pattern)]
    return sorted([*found, *unread])


def without_slides(folder: Path) -> str:
    """What to say of a folder in which `find_slides` finds nothing: what it holds, what was looked for."""
    stored = address_of(folder) is not None
    held = sum(len(files) for _, _, files in (walk_stored(folder) if stored else os.walk(folder)))
    what = "is empty" if not held else f"holds {held} file{'' if held == 1 else 's'}, and none is a slide"
    endings = ", ".join(ending.removeprefix(".") for ending in (*SLIDE_ENDINGS, *PICTURE_ENDINGS))
    return f"{what}: in this folder and below DICOM files were looked for, and names that end with {endings}."


def _wanted(path: Path, folder: Path, pattern: str | None) -> bool:
    if pattern is None:
        return True
    below = path.relative_to(folder).as_posix()
    return fnmatch.fnmatch(below if "/" in pattern else path.name, pattern)


def _below(folder: Path, unread: list[Path]) -> Iterator[Path]:
    from lowpower.slides.dicom import is_dicom

    stored = address_of(folder) is not None
    walked = os.walk(folder, onerror=lambda error: unread.append(Path(error.filename)))
    for place, folders, names in walk_stored(folder) if stored else walked:
        here = Path(place)
        if _holds_results(here, names):
            folders.clear()
            continue
        # Folders that are no place for slides: data of MRXS and VSI, what is hidden or set aside.
        apart = {slide_name(name) for name in names if name.lower().endswith(_WITH_DATA_FOLDER)}
        folders[:] = [
            name for name in folders if name not in apart and not name.startswith((".", "set-aside-"))
        ]
        shown = sorted(name for name in names if not name.startswith("."))
        if stored:  # headers would have to be fetched
            dicom = [here / name for name in shown if name.lower().endswith(_SERIES)]
            firsts = dicom[:1]
        else:
            dicom = [here / name for name in shown if is_dicom(here / name)]
            firsts = _first_of_each_series(dicom)
        yield from [here] if len(firsts) == 1 and 2 * len(dicom) >= len(shown) else firsts
        slides = {slide_name(name) for name in shown if name.lower().endswith(SLIDE_ENDINGS)}
        yield from (here / name for name in shown if here / name not in dicom and _by_name(name, slides))


def _holds_results(folder: Path, names: list[str]) -> bool:
    """Whether this software's results of a slide lie here, whole or as a killed run left them."""
    for record in set(_RECORDS) & set(names):
        if address_of(folder) is not None:
            return True
        with (folder / record).open("rb") as stream:
            if b'"schema_version"' in stream.read(100):
                return True
    marked = address_of(folder) is None and (folder.parent / BOOKS).is_dir()
    return marked and not _HALF_DONE.isdisjoint(names)


def _first_of_each_series(files: list[Path]) -> list[Path]:
    """One file of each DICOM series, and those without a legible header: opening them says what is wrong."""
    if not files:
        return []
    import pydicom  # half a second, for DICOM files alone
    from pydicom.errors import InvalidDicomError

    first: dict[str, Path] = {}
    for file in files:
        try:
            with pydicom.config.disable_value_validation(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd in a header is said where the slide is opened
                header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
                series = str(header.get("SeriesInstanceUID") or file)
        except (InvalidDicomError, AttributeError, EOFError, KeyError, ValueError, OSError):
            series = str(file)
        first.setdefault(series, file)
    return list(first.values())


def _by_name(name: str, slides: set[str]) -> bool:
    """Whether a file ends like a slide, or is a picture that belongs to no slide beside it."""
    if name.lower().endswith(SLIDE_ENDINGS):
        return True
    stem = slide_name(name)
    beside = any(stem == slide or stem.startswith(f"{slide}.") for slide in slides)
    return name.lower().endswith(PICTURE_ENDINGS) and not beside


SLIDE_ENDINGS: Final = (
    ".ome.tiff", ".ome.tif", ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vsi", ".vms", ".vmu", ".qptiff",
    ".tiff", ".tif", ".dcm", ".dicom",
)  # fmt: skip
"""Endings of whole slides, longer ones first."""
PICTURE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".bmp")
"""Endings of plain images: fields of view, but also masks and thumbnails beside slides."""


def slide_name(path: str | Path) -> str:
    """The slide's name: its file's without the ending that says the format, or its folder's whole name.

    Examples:
        >>> slide_name("in/case 17.ome.tif"), slide_name("1.2.840.10")
        ('case 17', '1.2.840.10')
    """
    path = Path(path)
    name = path.name
    if address_of(path) is not None or not os.path.isdir(path):
        for ending in (*SLIDE_ENDINGS, *PICTURE_ENDINGS):
            if name.lower().endswith(ending):
                return name[: -len(ending)] or name
    return name
