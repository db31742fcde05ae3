"""What goes after a time: slides and pictures. Records, reviews and the audit log stay."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from lowpower.errors import ConfigError
from lowpower.serve.department._department import Department
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who
from lowpower.serve.department.records import Job, ScoredResult, Slide, moment

__all__ = ["Purged", "purge"]


@dataclass(frozen=True)
class Purged:
    """What went.

    Attributes:
        slides: Their pseudonyms.
        bytes: Space that is free now.
    """

    slides: tuple[str, ...]
    bytes: int


def purge(department: Department) -> Purged:
    """Remove slides older than `keep_days`, and the pictures and cells of their results.

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
    return Purged(tuple(gone), freed)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
