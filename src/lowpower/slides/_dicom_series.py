"""The instances of one DICOM whole-slide series: which file is which level, where its frames lie."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._reader import MppClaim

__all__ = ["KEYS", "Instance", "is_dicom", "read_series"]

KEYS = ("dicom.PixelSpacing", "dicom.ImagedVolumeWidth")
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


@dataclass(frozen=True)
class Instance:
    """One image of a series.

    Attributes:
        path: Its file.
        series: UID of the series.
        role: "volume" (a level), "label", "overview" or "thumbnail".
        width: Total pixel matrix, pixels.
        height: Total pixel matrix, pixels.
        header: Everything but the pixels.
    """

    path: Path
    series: str
    role: str
    width: int
    height: int
    header: Any

    def claims(self) -> tuple[MppClaim, ...]:
        """um/px from PixelSpacing (mm between rows, then columns), else from the imaged volume (mm)."""
        shared = self.header.get("SharedFunctionalGroupsSequence")
        measures = shared[0].get("PixelMeasuresSequence") if shared else None
        spacing = measures[0].get("PixelSpacing") if measures else None
        if spacing is not None and len(spacing) == 2:
            return (MppClaim(KEYS[0], 1000 * float(spacing[1]), 1000 * float(spacing[0])),)
        width, height = self.header.get("ImagedVolumeWidth"), self.header.get("ImagedVolumeHeight")
        if width and height:
            return (MppClaim(KEYS[1], 1000 * float(width) / self.width, 1000 * float(height) / self.height),)
        return ()


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(path: Path) -> list[Instance]:
    """The instances of the series that `path` (a file of it, or the folder that holds it) belongs to.

    Returns:
        Volumes, the largest first, then label, overview and thumbnail.

    Raises:
        NotASlideError: if there is no whole-slide image, or a folder holds several series.
        DamagedSlideError: if the file's header is cut short.
    """
    if path.is_file():
        chosen = _instance(path)
        if chosen is None:
            raise NotASlideError(path, "is DICOM, but no whole-slide microscopy image.")
        series = chosen.series
        folder = path.parent
    else:
        series, folder = "", path
    others = [file for file in sorted(folder.iterdir()) if file.is_file() and is_dicom(file)]
    found = []
    for file in others:
        try:
            instance = _instance(file)
        except DamagedSlideError:
            if path.is_dir() or file == path:
                raise
            continue  # a broken neighbour that may not be of this series at all
        if instance is not None and (not series or instance.series == series):
            found.append(instance)
    if not found:
        raise NotASlideError(path, "is a folder without a DICOM whole-slide image; give a slide file.")
    count = Counter(instance.series for instance in found)
    if len(count) > 1:
        raise NotASlideError(
            path, f"holds {len(count)} DICOM series; give one file of the slide's series instead."
        )
    found.sort(key=lambda instance: (instance.role != "volume", -instance.width))
    if found[0].role != "volume":
        raise NotASlideError(path, "is a DICOM series with a label or overview but no slide image.")
    return found


def _instance(path: Path) -> Instance | None:
    try:
        with pydicom.config.disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overlong identifiers and the like
            header = pydicom.dcmread(path, stop_before_pixels=True)
            if header.get("SOPClassUID") != WHOLE_SLIDE:
                return None
            kind = [str(part).upper() for part in header.get("ImageType") or ()]
            role = next((r for r in ("LABEL", "OVERVIEW", "THUMBNAIL") if r in kind), "VOLUME").lower()
            return Instance(
                path,
                str(header.SeriesInstanceUID),
                role,
                int(header.TotalPixelMatrixColumns),
                int(header.TotalPixelMatrixRows),
                header,
            )
    except (InvalidDicomError, AttributeError, EOFError, KeyError, ValueError, OSError) as error:
        raise DamagedSlideError(
            path, f"its DICOM header is cut short or broken ({error}); copy or export it again."
        ) from error
