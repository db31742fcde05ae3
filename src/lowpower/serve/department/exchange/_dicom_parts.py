"""A DICOM series that comes in file by file, in one go or in several: a slide once it is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import pydicom
from pydicom.errors import InvalidDicomError

from lowpower.errors import NotASlideError, SlideError
from lowpower.files import locked, make_folder, write_json
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import AboutSlide, DuplicateSlideError, SlideRoom
from lowpower.serve.department.access import Who
from lowpower.serve.department.exchange._pseudonymise import keep_instance
from lowpower.serve.department.records import Slide
from lowpower.slides import open_slide

__all__ = ["SeriesParts"]

_OLD_S: Final = 7 * 86400


@dataclass
class _Told:
    """What is known of a series beside its files.

    Attributes:
        files: How many files it has, as far as somebody said.
        left_out: Pictures of its label that came, by their numbers' hashes.
    """

    files: int = 1
    left_out: list[str] = field(default_factory=list)


class SeriesParts:
    """Series of which not everything is here yet, in the data folder; after a week what is there goes."""

    def __init__(self, settings: Settings, slides: SlideRoom) -> None:
        self._folder, self._slides = settings.data / "series", slides

    def take(self, file: Path, files: int, about: AboutSlide, who: Who) -> Slide | str:
        """Put a file beside the others of its series: the slide if it is whole now, else what is missing.

        Args:
            file: An instance; it is gone afterwards.
            files: How many files the sender has of this series.
            about: What is said of the slide, pseudonymised already.
            who: Who sends it.

        Raises:
            SlideError: it is no instance of a whole slide.
            DuplicateSlideError: the series is here already.
        """
        self._sweep()
        dataset = _read(file)
        source = f"{dataset.StudyInstanceUID}/{dataset.SeriesInstanceUID}"
        held = self._slides.from_source(source)
        if held is not None:
            raise DuplicateSlideError(held)
        name = _digest(str(dataset.SeriesInstanceUID))
        place, notes = self._folder / name, self._folder / f"{name}.json"
        with locked(self._folder / f"{name}.lock"):
            told = _Told(**json.loads(notes.read_bytes())) if notes.exists() else _Told()
            number = _digest(str(dataset.SOPInstanceUID))
            make_folder(place)
            if not keep_instance(dataset, place / f"{number}.dcm", about.case or ""):
                told.left_out = sorted({*told.left_out, number})
            told.files = max(told.files, files)
            write_json(notes, asdict(told))
            file.unlink()
            missing = _missing(place, told)
            if missing is not None:
                return missing
            slide = self._slides.take_folder(place, about, who, source, origin="upload")
            notes.unlink()
        return slide

    def _sweep(self) -> None:
        for notes in self._folder.glob("*.json"):
            if notes.stat().st_mtime < time.time() - _OLD_S:
                shutil.rmtree(notes.with_suffix(""), ignore_errors=True)
                notes.unlink(missing_ok=True)


def _read(file: Path) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(file)
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            dataset[name]
    except (InvalidDicomError, KeyError, ValueError, EOFError) as error:
        raise NotASlideError(file, "is no DICOM file, or is cut off; send it again.") from error
    return dataset


def _missing(place: Path, told: _Told) -> str | None:
    """What a series still lacks, in a sentence; None where it is whole."""
    here = len(list(place.glob("*.dcm"))) + len(told.left_out)
    if here < told.files:
        return f"{here} of {told.files} files of this slide are here; send the others."
    if not any("VOLUME" in kind and "RESAMPLED" not in kind for kind in _kinds(place)):
        return f"Its full resolution is missing among {_files(here)}; send the rest of the series."
    try:
        with open_slide(place, mpp=1.0):
            return None
    except SlideError as error:  # of what a scanner cut into parts, one is missing
        said = str(error).removeprefix(f"{place}: ")
        return f"The series {said}" if "missing" in said else None


def _kinds(place: Path) -> Iterator[list[str]]:
    for path in place.glob("*.dcm"):
        yield list(pydicom.dcmread(path, specific_tags=["ImageType"]).get("ImageType", ()))


def _files(count: int) -> str:
    return "the one file that is here" if count == 1 else f"the {count} files that are here"


def _digest(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()[:32]
