"""What goes after a time: slides, pictures, the work of studies. Records, reviews and the audit log stay."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from lowpower.errors import ConfigError
from lowpower.serve.department._department import Department
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who
from lowpower.serve.department.records import Job, ScoredResult, Slide, moment, note

__all__ = ["Purged", "purge"]


@dataclass(frozen=True)
class Purged:
    """What went.

    Attributes:
        slides: Their pseudonyms.
        studies: Folders with the work of studies.
        bytes: Space that is free now.
    """

    slides: tuple[str, ...]
    studies: tuple[str, ...]
    bytes: int


def purge(department: Department) -> Purged:
    """Remove slides older than `keep_days`, the pictures and cells of their results, and the work of studies.

    A study's reports and tables stay; its work is what nobody went on with for as long.

    Raises:
        ConfigError: no time is set.
    """
    settings = department.settings
    if settings.keep_days is None:
        raise ConfigError(
            "How long slides are kept is not set: give keep_days in the file of --config, or "
            "LOWPOWER_SERVE_KEEP_DAYS in the environment."
        )
    who = Who("retention", Role.ADMIN)
    gone, freed = [], 0
    with department.database.read() as session:
        busy = select(Job.slide_id).where(Job.slide_id.is_not(None), Job.state.in_(("waiting", "running")))
        old = select(Slide.id).where(
            Slide.removed.is_(None),
            Slide.added < moment(-86400.0 * settings.keep_days),
            Slide.id.not_in(busy),
        )
        keys = list(session.scalars(old))
    for key in keys:
        with department.database.read() as session:
            folders = list(session.scalars(select(ScoredResult.folder).where(ScoredResult.slide_id == key)))
        places = [department.slides.folder / key, *(settings.data / "results" / folder for folder in folders)]
        size = sum(_size(place) for place in places)
        if department.slides.remove(key, who):
            for place in places:
                shutil.rmtree(place, ignore_errors=True)
            gone.append(key)
            freed += size
    studies, more = _old_studies(department, 86400.0 * settings.keep_days, who)
    return Purged(tuple(gone), studies, freed + more)


def _old_studies(department: Department, seconds: float, who: Who) -> tuple[tuple[str, ...], int]:
    """Remove the work of studies that is older; its names, and the space that is free."""
    with department.database.read() as session:
        active = select(Job.id).where(Job.slide_id.is_(None), Job.state.in_(("waiting", "running")))
        if session.scalar(active.limit(1)) is not None:
            return (), 0  # it may be the work that it goes on with
    gone, freed = [], 0
    for place in sorted((department.settings.data / "studies").glob("*/")):
        if max(_touched(path) for path in (place, *place.rglob("*"))) > time.time() - seconds:
            continue
        freed += _size(place)
        shutil.rmtree(place, ignore_errors=True)
        with department.database.write() as session:
            note(session, who.name, "study.removed", place.name)
        gone.append(place.name)
    return tuple(gone), freed


def _touched(path: Path) -> float:
    return path.lstat().st_mtime


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
