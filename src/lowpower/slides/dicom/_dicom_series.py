"""The files of one DICOM whole-slide series."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides.dicom._dicom_instance import Instance, read_instance

__all__ = ["Series", "is_dicom", "read_series"]


@dataclass(frozen=True)
class Series:
    """The files of one series.

    Attributes:
        volumes: Parts of levels, the largest first.
        extras: Label, overview and thumbnail by role.
        notes: Sentences for the user.
    """

    volumes: list[Instance]
    extras: dict[str, Instance]
    notes: tuple[str, ...] = ()


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, and is not the table of contents of a medium."""
    try:
        if not os.path.isfile(path) or path.name.upper() == "DICOMDIR":  # a pipe would never end
            return False
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(path: Path) -> Series:
    """The instances of the series that `path` (a file of it, or the folder that holds it) belongs to.

    Raises:
        NotASlideError: if there is no whole-slide image, or a folder holds several series.
        DamagedSlideError: if the file's header is cut short.
    """
    if path.is_file():
        chosen = read_instance(path)
        if chosen is None:
            raise NotASlideError(path, "is DICOM, but no whole-slide microscopy image.")
        series = chosen.series
        folder = path.parent
    else:
        series, folder = "", path
    others = [file for file in sorted(folder.iterdir()) if file.is_file() and is_dicom(file)]
    found: dict[str, Instance] = {}
    notes = []
    for file in others:
        try:
            instance = read_instance(file)
        except DamagedSlideError:
            if path.is_dir() or file == path:
                raise
            continue  # a broken neighbour that may not be of this series at all
        if instance is None or (series and instance.series != series):
            continue
        uid = instance.uid or str(file)
        if uid in found:
            notes.append(f"{file.name} is a copy of {found[uid].path.name} and is left out.")
        else:
            found[uid] = instance
    if not found:
        raise NotASlideError(path, "is a folder without a DICOM whole-slide image; give a slide file.")
    count = Counter(instance.series for instance in found.values())
    if len(count) > 1:
        raise NotASlideError(
            path, f"holds {len(count)} DICOM series; give one file of the slide's series instead."
        )
    volumes = [instance for instance in found.values() if instance.role == "volume"]
    if not volumes:
        raise NotASlideError(path, "is a DICOM series with a label or overview but no slide image.")
    volumes.sort(key=lambda instance: (-instance.width, instance.part.offset if instance.part else 0))
    extras: dict[str, Instance] = {}
    for instance in found.values():
        if instance.role != "volume":
            extras.setdefault(instance.role, instance)
    return Series(volumes, extras, tuple(notes))
