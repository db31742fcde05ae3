"""Studies as jobs: which configuration may be run, where its work lies, and the one result that is kept."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from lowpower.errors import ConfigError, one_line
from lowpower.files import make_folder
from lowpower.serve.department._settings import Settings, below
from lowpower.serve.department.jobs._job_asked import Claimed
from lowpower.serve.department.records import Database, Job, moment, note

__all__ = ["STUDY_FILES", "keep_study", "study_file", "study_folder"]

STUDY_FILES: Final = {
    "report.html": "text/html",
    "arms.csv": "text/csv",
    "tests.csv": "text/csv",
    "groups.csv": "text/csv",
    "units.csv": "text/csv",
}
"""What is kept of a study and handed out: numbers of arms and units, no predictions, which name slides."""
_IN_RESULTS: Final = ("units.csv",)


def study_file(session: Session, settings: Settings, given: str) -> str:
    """Where a configuration lies.

    Raises:
        ConfigError: it lies below no folder of `study_roots`, or it is being run.
    """
    if not settings.study_roots:
        raise ConfigError("No folder is open to run studies from; the setting study_roots names them.")
    file = below(settings.study_roots, given)
    if file is None or not file.is_file():
        raise ConfigError(
            f"{one_line(given)}: is no file in one of the folders that studies may be run from."
        )
    active = session.scalars(select(Job).where(Job.slide_id.is_(None), Job.state.in_(("waiting", "running"))))
    for job in active:
        if job.asked["file"] == str(file):
            raise ConfigError(f"This study is waiting or being run already, as job {job.id}.")
    return str(file)


def study_folder(job: Claimed, settings: Settings) -> Path:
    """Where a study's work lies, of all jobs that ask for just this configuration: finished units stay."""
    told = f"{job.slide}\0".encode() + job.slide.read_bytes()
    return make_folder(settings.data / "studies" / hashlib.sha256(told).hexdigest()[:24])


def keep_study(
    database: Database, settings: Settings, job: Claimed, worker: str, made: Path | None, reason: str | None
) -> bool:
    """Keep a study's result, once; False where the job was cancelled or has one.

    Args:
        database: The service's.
        settings: Where results lie.
        job: The job.
        worker: Whose it is.
        made: The study's folder; None where it came to no end.
        reason: Why it did not.
    """
    place = settings.data / "results" / f"{job.id}-{secrets.token_hex(4)}"
    digests = {}
    if made is not None:
        make_folder(place)
        for name in STUDY_FILES:
            file = (made / "results" if name in _IN_RESULTS else made) / name
            shutil.copyfile(file, place / name)
            digests[name] = hashlib.sha256((place / name).read_bytes()).hexdigest()
    with database.write() as session:
        kept = session.get(Job, job.id, with_for_update=True)
        wanted = kept is not None and kept.state == "running" and kept.worker == worker
        if kept is not None and wanted:
            kept.state, kept.ended, kept.reason = "done", moment(), reason
            kept.progress = 1.0 if made is not None else kept.progress
            kept.folder = None if made is None else place.name
            note(session, f"worker {worker}", "study.made", job.id, files=digests, reason=reason)
    if not wanted:
        shutil.rmtree(place, ignore_errors=True)
    return wanted
