"""Writing so that a reader never sees half a file, and naming files by their content."""

from __future__ import annotations

import contextlib
import difflib
import errno
import hashlib
import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import yaml
from filelock import FileLock, SoftFileLock

from lowpower.errors import ConfigError, LowpowerError, OutputError, one_line

__all__ = [
    "atomic_path",
    "locked",
    "make_folder",
    "meant",
    "output_errors",
    "read_yaml",
    "sha256_of",
    "shared_marks",
    "sweep_parts",
    "unwritten",
    "write_bytes",
    "write_json",
    "write_text",
]

_HOST: Final = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname()) or "host"
_PART: Final = re.compile(r"\..*\.([A-Za-z0-9]+)-(\d+)\.[^.]*\.part(\.[^.]*)?")
_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")
_ABANDONED_S: Final = 24 * 3600.0
_LONGEST_PREFIX: Final = 60


def meant(path: str | Path) -> str:
    """A question after the nearest path to one that is not there, folders included; empty where none is."""
    near = _nearest(Path(path))
    return f"did you mean {one_line(near)}?" if near is not None else ""


def _nearest(path: Path) -> Path | None:
    """The path, or the one that is there and is spelled nearly alike; None where there is none."""
    if os.path.lexists(path):
        return path
    folder = _nearest(path.parent) if path.parent != path else None
    if folder is None:
        return None
    if os.path.lexists(folder / path.name):
        return folder / path.name
    try:
        beside = os.listdir(folder)
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.8)
    return folder / near[0] if near else None


@contextlib.contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn an operating-system error while writing `path` into one sentence.

    Raises:
        OutputError: naming the file and the cure.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: {unwritten(error)}") from error
    except LowpowerError:
        raise
    except Exception as error:
        # Libraries in Rust (polars, safetensors) wrap the operating system's error and keep its number.
        told = _OS_ERROR.search(str(error))
        if told is None:
            raise
        number = int(told[1])
        raise OutputError(f"{path}: {unwritten(OSError(number, os.strerror(number)))}") from error


def unwritten(error: OSError) -> str:
    """Why something could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free space or choose another folder with --out."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no permission to write there; choose another folder with --out."
    return f"could not be written ({error.strerror or error}); choose another folder with --out."


def make_folder(folder: str | Path) -> Path:
    """Create `folder` with its parents.

    Raises:
        OutputError: if it cannot be created.
    """
    folder = Path(folder)
    file = next((place for place in (folder, *folder.parents) if os.path.isfile(place)), None)
    if file is not None:
        raise OutputError(f"{file}: is a file; give a folder with --out.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`: fsynced and renamed over it on success, removed on error.

    Raises:
        OutputError: on any operating-system error, with nothing left behind.
    """
    path = Path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Host and process stand in the name, so that `sweep_parts` knows whose a left-over is.
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:_LONGEST_PREFIX]}.{_HOST}-{os.getpid()}.",
            suffix=f".part{path.suffix}",
            dir=path.parent,
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            # mkstemp makes files private; give the mode an ordinary write would have given.
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def shared_marks(folders: Iterable[str | Path]) -> Iterator[list[Path]]:
    """A hidden file in each folder while the context lasts: another machine that sees it shares the folder.

    Raises:
        OutputError: a folder cannot be written.
    """
    marks: list[Path] = []
    try:
        for folder in folders:
            with output_errors(folder):
                handle, name = tempfile.mkstemp(
                    prefix=f".shared.{_HOST}-{os.getpid()}.", suffix=".part", dir=folder
                )
                os.close(handle)
            marks.append(Path(name).absolute())
        yield marks
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def sweep_parts(folders: Iterable[str | Path]) -> list[Path]:
    """Remove what `atomic_path` of killed processes left half-written in these folders, not below them.

    Of a process on another host nothing is known: what it left goes after a day.

    Returns:
        What was removed.
    """
    swept = []
    for folder in folders:
        for path in Path(folder).glob(".*.part*"):
            if _abandoned(path):
                path.unlink(missing_ok=True)
                swept.append(path)
    return swept


def _abandoned(path: Path) -> bool:
    told = _PART.fullmatch(path.name)
    if told is None:
        return False
    host, process = told.group(1), int(told.group(2))
    try:
        written = path.stat().st_mtime
    except OSError:  # its own process has just renamed it
        return False
    if host != _HOST:
        return time.time() - written > _ABANDONED_S
    try:
        # A number is given again: a process younger than the file is another one.
        return bool(psutil.Process(process).create_time() > written + 1)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for it; the operating system frees it when a process dies.

    Raises:
        OutputError: if it cannot be made.
    """
    path = Path(path)
    make_folder(path.parent)
    lock: FileLock | SoftFileLock = FileLock(path)
    with output_errors(path):
        try:
            lock.acquire()
        except NotImplementedError:  # a shared file system without locks of its own
            lock = SoftFileLock(path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8 with Unix line ends; names that are no text are escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` atomically as indented JSON, ending with a newline."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: naming the file and what is wrong: absent, unreadable, no YAML, or no keys.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a YAML file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigError(f"{path}: is not YAML{place}: {getattr(error, 'problem', error)}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold keys and values, for instance 'cohort: cohort.csv'.")
    return content


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
