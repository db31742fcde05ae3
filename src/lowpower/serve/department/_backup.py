"""Backup and restore: one archive with rows and files, that either database can be made from again."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.orm import Session

import lowpower
from lowpower.errors import ConfigError, OptionError
from lowpower.files import atomic_path, output_errors
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import link_registered
from lowpower.serve.department.jobs import Jobs
from lowpower.serve.department.records import Audit, Base, Database, Job, Slide, note, verify_audit

__all__ = ["BackedUp", "back_up", "restore"]

_VERSION: Final = 1
_FOLDERS: Final = ("results", "slides", "regions")
_BATCH: Final = 500
_LEFT_OUT: Final = ("workers", "sessions", "uploads")
"""What belongs to running processes and open browsers."""


@dataclass(frozen=True)
class BackedUp:
    """What an archive holds.

    Attributes:
        path: The archive.
        rows: Rows of all tables.
        files: Files of slides and results.
    """

    path: Path
    rows: int
    files: int


def back_up(settings: Settings, archive: Path, *, slides: bool = True) -> BackedUp:
    """Write everything into one archive, while the service runs.

    Rows are those of one moment; files of results that came later may be there as well, and do no harm.

    Args:
        settings: Of the service.
        archive: A .tar to write; it appears when it is complete.
        slides: Whether uploaded slides go in too; registered ones never do.

    Raises:
        OutputError: it cannot be written.
    """
    database = Database(settings)
    rows = files = 0
    with atomic_path(archive) as part, tarfile.open(part, "w") as tar, output_errors(archive):
        with database.snapshot() as session:
            for table in _tables():
                text = "".join(f"{json.dumps(row)}\n" for row in _rows(session, table))
                rows += text.count("\n")
                _add(tar, f"tables/{table.name}.jsonl", text.encode())
        told = {"version": _VERSION, "software_version": lowpower.__version__, "rows": rows, "slides": slides}
        _add(tar, "backup.json", json.dumps(told).encode())
        key = settings.data / "pseudonym.key"
        if key.is_file():
            tar.add(key, "pseudonym.key")
            files += 1
        for folder in _FOLDERS if slides else ("results", "regions"):
            for path in sorted((settings.data / folder).rglob("*")):
                if path.is_file() and not path.is_symlink() and not _through_link(path, settings.data):
                    with contextlib.suppress(
                        FileNotFoundError
                    ):  # a half-made result that was swept meanwhile
                        tar.add(path, str(path.relative_to(settings.data)), recursive=False)
                        files += 1
    database.close()
    return BackedUp(archive, rows, files)


def restore(settings: Settings, archive: Path) -> BackedUp:
    """Make data folder and database from an archive; both must be empty. Jobs that waited wait again.

    Raises:
        ConfigError: something is there already, the archive is none, or its audit log is broken.
    """
    if settings.data.exists() and any(settings.data.iterdir()):
        raise OptionError(f"{settings.data}: is not empty; name a new folder to restore into.")
    try:
        tar = tarfile.open(archive)  # closed below
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(
            f"{archive}: is no archive that `lowpower serve backup` wrote ({error})."
        ) from error
    with tar:
        try:
            told = json.loads(_read(tar, "backup.json"))
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{archive}: is no archive that `lowpower serve backup` wrote.") from error
        if told.get("version") != _VERSION:
            raise ConfigError(f"{archive}: was written by a newer lowpower; update this one.")
        database = Database(settings)
        database.migrate()
        with database.read() as session:
            if session.scalar(select(func.count()).select_from(Audit)):
                raise ConfigError("The database is not empty; name a new one to restore into.")
        with database.write() as session:
            for table in _tables():
                _load(session, table, _read(tar, f"tables/{table.name}.jsonl").splitlines())
        files = _unpack(tar, settings.data)
    verdict = verify_audit(database)
    if verdict.problem is not None:
        raise ConfigError(f"{archive}: its audit log is broken: {verdict.problem}.")
    _go_on(database, settings)
    database.close()
    return BackedUp(archive, told["rows"], files)


def _tables() -> list[Table]:
    """In an order in which rows come after those that they point to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in _LEFT_OUT]


def _rows(session: Session, table: Table) -> Iterator[dict[str, Any]]:
    for row in session.execute(select(table).execution_options(yield_per=_BATCH)).mappings():
        yield {column.name: row[column] for column in table.columns}


def _load(session: Session, table: Table, lines: list[bytes]) -> None:
    rows = [json.loads(line) for line in lines]
    if table.name == "audit_head":  # is there from the beginning
        session.execute(update(table).values(number=rows[0]["number"], hash=rows[0]["hash"]))
        return
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(table), rows[start : start + _BATCH])


def _unpack(tar: tarfile.TarFile, data: Path) -> int:
    files = 0
    for member in tar.getmembers():
        if member.isfile() and member.name.split("/")[0] in (*_FOLDERS, "pseudonym.key"):
            tar.extract(member, data, filter="data")
            files += 1
    key = data / "pseudonym.key"
    if key.exists():
        key.chmod(0o600)
    return files


def _go_on(database: Database, settings: Settings) -> None:
    jobs = Jobs(database, settings)
    with database.write() as session:
        for slide in session.scalars(
            select(Slide).where(Slide.origin == "registered", Slide.removed.is_(None))
        ):
            link_registered(settings.data / slide.path, Path(slide.source))
        for job in session.scalars(select(Job).where(Job.state.in_(("waiting", "running")))):
            job.state, job.worker, job.attempts = "waiting", None, 0
            jobs.enqueue(session, job)
        note(session, "command line", "service.restored")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _through_link(path: Path, data: Path) -> bool:
    """Whether a folder on the way is a link: what lies behind it is not ours."""
    return any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(data))
