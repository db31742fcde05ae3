"""The folder of a batch: in it a folder for each slide, never given to another, and the records."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from lowpower.cohort import SlideInput
from lowpower.errors import LowpowerError, OptionError, address_of
from lowpower.files import atomic_path, locked, make_folder, output_errors, sha256_of, sweep_parts, write_text
from lowpower.scoring.batch._results_mirror import ResultsMirror
from lowpower.scoring.records import ATTACHMENTS, MeasuredSlide, Result, SlideRecord
from lowpower.scoring.requests import write_table
from lowpower.slides import BOOKS, PICTURE_ENDINGS, open_slide, slide_name
from lowpower.storage import full_name, is_there, known_hash, place

__all__ = ["ResultsFolder", "content_hash"]

R = TypeVar("R", bound=SlideRecord)

_RECORD: Final[dict[type[SlideRecord], str]] = {Result: "result.json", MeasuredSlide: "measurement.json"}
_VERB: Final[dict[type[SlideRecord], str]] = {Result: "score", MeasuredSlide: "measure"}
_TABLE: Final[dict[type[SlideRecord], str]] = {Result: "results.csv", MeasuredSlide: "measurements.csv"}
_PAGE: Final = "report.html"
_RESERVED: Final = re.compile(
    r"\.lowpower|set-aside-\d+|results\.csv|measurements\.csv|report\.html|\.*", re.I
)
_LONGEST: Final = 150
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]')
"""What some system's file names may not hold, or what turns the letters behind it round."""
_WINDOWS: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_ONE_FILE: Final = (*PICTURE_ENDINGS, ".svs", ".ndpi", ".tif", ".tiff", ".scn", ".bif", ".qptiff")


class ResultsFolder(Generic[R]):
    """Where a batch keeps what it makes.

    Attributes:
        out: The folder; for one in storage, the one of this machine that stands for it.
        table: Its CSV over all slides.
        page: Its HTML over all slides.
        keeps_earlier: Whether a result that gives way to another stays beside it, set aside.
    """

    def __init__(self, out: str | Path, kind: type[R], *, keep_earlier: bool = False) -> None:
        """Make the folder, see that it can be written, and sweep what a killed run left half-written.

        Raises:
            OptionError: it holds results of the other verb.
            OutputError: it cannot be written.
        """
        self._kind, self.keeps_earlier = kind, keep_earlier
        out, address = place(out), address_of(place(out))
        self._mirror = None if address is None else ResultsMirror(address.rstrip("/"), _RECORD[kind])
        self.out = make_folder(out if self._mirror is None else self._mirror.here)
        self.table, self.page = self.out / _TABLE[kind], self.out / _PAGE
        self._record = _RECORD[kind]
        other: type[SlideRecord] = Result if kind is MeasuredSlide else MeasuredSlide
        if self._holds(_RECORD[other]):
            raise OptionError(
                f"{self.told(self.out)}: holds results of `lowpower {_VERB[other]}`; choose another folder "
                "with --out."
            )
        with self.locked():
            sweep_parts([self.out, *(entry for entry in self.out.iterdir() if entry.is_dir())])
        with contextlib.suppress(_Probed), atomic_path(self.page):
            raise _Probed  # a folder that cannot be written is told before any work
        if self._mirror is not None:
            with self.locked():
                self._mirror.open()

    def told(self, path: Path) -> str:
        """A path in the folder as a user finds it."""
        return str(path) if self._mirror is None else self._mirror.told(path)

    def names_in(self) -> Callable[[Path], set[str]]:
        """What gives the names of the files of a slide's folder, wherever they are."""
        stored = {} if self._mirror is None else self._mirror.names()
        return lambda folder: {entry.name for entry in folder.iterdir()} | stored.get(folder.name, set())

    def _holds(self, record: str) -> bool:
        if self._mirror is None:
            return any(self.out.glob(f"*/{record}"))
        return any(record in names for names in self._mirror.names().values())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with table and page: of several runs in one folder one at a time."""
        with locked(self.out / BOOKS / "books.lock"):
            yield

    @contextlib.contextmanager
    def claimed(self, slide: Path) -> Iterator[tuple[Path, R | None]]:
        """The folder that is this slide's, and the record of it that is there; no other run enters it.

        It has the slide's whole name. Where another slide has that folder already, the slide's own hash is
        added: a folder is never given to a second slide.
        """
        identity = _Identity(slide)
        for name in self._names(identity):
            with locked(self.out / BOOKS / f"{name}.lock"):
                folder = self.out / name
                if self._mirror is not None:
                    self._mirror.refresh(name)
                held = self._read(folder)
                if _free(folder, self._record) or (held is not None and identity.is_of(held)):
                    yield folder, held
                    return
        raise AssertionError("the last name holds the slide's whole hash")

    def of_other_bytes(self, slide: Path, place: Path) -> Path | None:
        """Where a result lies of what the slide's path held in an earlier run; None where it held nothing."""
        for name in self._names(_Identity(slide)):
            held = None if self.out / name == place else self._read(self.out / name)
            if held is not None and full_name(held.file) == full_name(slide):
                return self.out / name
        return None

    def records(self) -> list[tuple[Path, R]]:
        """Every slide's folder and record, by name of the folder; what cannot be read is left out."""
        found = []
        for path in sorted(self.out.glob(f"*/{self._record}")):
            with contextlib.suppress(OSError, ValidationError):
                found.append((path.parent, self._kind.model_validate_json(path.read_bytes())))
        return found

    def unreadable(self) -> list[str]:
        """Folders whose record cannot be read, by name: damaged, or of another version of this software."""
        held = {path.parent.name for path in self.out.glob(f"*/{self._record}")}
        return sorted(held - {place.name for place, _ in self.records()})

    def write(self, folder: Path, record: R, *, anew: bool = True) -> None:
        """Write a slide's record into its folder, after what belongs to it; that stays if not `anew`."""
        write_text(folder / self._record, record.model_dump_json(indent=2) + "\n")
        if self._mirror is not None:
            self._mirror.put_slide(folder, anew=anew)

    def write_books(self, rows: Sequence[Mapping[str, Any]], page: str) -> None:
        """Write table and page."""
        write_table(self.table, rows)
        write_text(self.page, page)
        if self._mirror is not None:
            self._mirror.put_file(self.table)
            self._mirror.put_file(self.page)

    def bring_pictures(self) -> None:
        """See that the pictures of all slides are on this machine."""
        if self._mirror is not None:
            self._mirror.pictures()

    def set_aside(self) -> Path | None:
        """Move all results, table and page into a new folder below; None where there is nothing."""
        with self.locked(), output_errors(self.out):
            moved = [path.parent for path in sorted(self.out.glob(f"*/{self._record}"))]
            moved += [path for path in (self.table, self.page) if path.exists()]
            if not moved:
                return None
            number = 1
            while self._taken(f"set-aside-{number}"):
                number += 1
            target = make_folder(self.out / f"set-aside-{number}")
            for path in moved:
                self._move(path, target / path.name)
            return target

    def set_aside_one(self, folder: Path, *, copy: bool = False) -> Path:
        """Move one slide's folder, or a copy of it, to what is set aside, and say where it is now."""
        with output_errors(self.out):
            number = 1
            while self._taken(f"set-aside-{number}/{folder.name}"):
                number += 1
            target = self.out / f"set-aside-{number}" / folder.name
            make_folder(target.parent)
            if not copy or self._mirror is not None:
                self._move(folder, target)
            else:
                shutil.copytree(folder, target, copy_function=_linked)
            return target

    def _taken(self, name: str) -> bool:
        return (self.out / name).exists() or (self._mirror is not None and self._mirror.taken(name))

    def _move(self, path: Path, target: Path) -> None:
        if self._mirror is not None:
            self._mirror.move(path, target)
        path.rename(target)

    def forget_absent(self, slides: Sequence[SlideInput]) -> None:
        """Drop the records of files that were never there and that no manifest of this run names any more."""
        manifests = {str(slide.manifest) for slide in slides if slide.manifest is not None}
        named = {full_name(slide.path) for slide in slides if slide.manifest is not None}
        with self.locked():
            for folder, held in self.records():
                never = held.state == "refused" and held.slide_sha256 is None
                if not never or _is_seen(held.file) or full_name(held.file) in named:
                    continue
                if held.manifest is None or held.manifest in manifests:
                    if self._mirror is not None:
                        self._mirror.forget(folder)
                    (folder / self._record).unlink(missing_ok=True)
                    with contextlib.suppress(OSError):  # something else lies there too
                        folder.rmdir()

    def _names(self, identity: _Identity) -> Iterator[str]:
        """Names that the slide's folder may have, the plain one first; hashing waits until it is needed."""
        plain = identity.name
        reserved = _RESERVED.fullmatch(plain) is not None
        hashed = re.compile(re.escape(plain) + "-[0-9a-f]{8,64}")
        beside = any(hashed.fullmatch(entry.name) for entry in self.out.iterdir())
        if not beside and not reserved:
            yield plain
        own = [f"{plain}-{identity.digest[:length]}" for length in (8, 16, 64)]
        # Where this slide went before goes first: the plain name may have become free since.
        yield from [name for name in own if (self.out / name).exists()]
        yield from own if reserved else [plain, *own]

    def _read(self, folder: Path) -> R | None:
        try:
            return self._kind.model_validate_json((folder / self._record).read_bytes())
        except (OSError, ValidationError):
            return None


class _Identity:
    """Which slide a file is: its content, or its path where that cannot be read. Hashed when asked for."""

    def __init__(self, slide: Path) -> None:
        self.slide = slide
        name = _UNFIT.sub("_", slide_name(slide)).strip(" .")
        # A spreadsheet takes what begins with = + - @ for a formula.
        name = f"_{name}" if _WINDOWS.fullmatch(name) or name.startswith(("=", "+", "-", "@")) else name
        self.name = name[:_LONGEST] or "slide"

    @cached_property
    def content(self) -> str | None:
        return content_hash(self.slide)

    @property
    def digest(self) -> str:
        return self.content or hashlib.sha256(full_name(self.slide).encode()).hexdigest()

    def is_of(self, held: SlideRecord) -> bool:
        """Whether a record is of this slide."""
        if self.content is not None and held.slide_sha256 is not None:
            return self.content == held.slide_sha256
        return full_name(held.file) == full_name(self.slide)


def _free(folder: Path, record: str) -> bool:
    """Whether nothing is there but what a killed run of this software left."""
    if not folder.exists():
        return True
    if not folder.is_dir() or (folder / record).exists():
        return False
    return all(entry.name in ATTACHMENTS for entry in folder.iterdir())


def _linked(file: str, target: str) -> None:
    """The same bytes under another name; what is written later takes the first and leaves these alone."""
    try:
        os.link(file, target)
    except OSError:  # a file system without links
        shutil.copy2(file, target)


class _Probed(Exception):
    """Ends a write that only tried whether it is possible."""


def _is_seen(file: str) -> bool:
    return is_there(file) if address_of(file) is not None else os.path.lexists(file)


def _stored_hash(slide: Path) -> str | None:
    """The hash of a slide in storage; fetched only where this version of it never was."""
    known = known_hash(slide)
    if known is None:
        with open_slide(slide, mpp=1.0) as opened:
            known = opened.content_hash()
    return known


def content_hash(slide: Path) -> str | None:
    """The slide's content hash (`Slide.content_hash`); None where it cannot be read."""
    try:
        if address_of(slide) is not None:
            return _stored_hash(slide)
        if os.path.isfile(slide) and slide.name.lower().endswith(_ONE_FILE):
            return sha256_of(slide)
        with open_slide(slide, mpp=1.0) as opened:  # um/px has no part in the hash
            return opened.content_hash()
    except (LowpowerError, OSError):
        return sha256_of(slide) if os.path.isfile(slide) and os.access(slide, os.R_OK) else None
