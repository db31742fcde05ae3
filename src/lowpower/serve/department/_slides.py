"""Slides of the department: by upload or from a folder that was allowed, under pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lowpower.cohort import canonical_marker
from lowpower.errors import ConfigError, NotASlideError, one_line
from lowpower.files import make_folder, write_bytes
from lowpower.scoring import Record
from lowpower.serve.department._settings import Settings, below
from lowpower.serve.department.access import Who
from lowpower.serve.department.records import Database, Job, Slide, moment, note
from lowpower.slides import PICTURE_ENDINGS, SLIDE_ENDINGS, find_slides, open_slide

__all__ = [
    "AboutSlide",
    "DuplicateSlideError",
    "SlideRoom",
    "complete_alone",
    "ending_of",
    "link_registered",
    "slide_or_none",
    "words_of",
]

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONGEST: Final = 100
_IN_PARTS: Final = (".mrxs", ".vms", ".vmu", ".vsi", ".dcm", ".dicom")
"""Of these the file alone is not the slide."""


class AboutSlide(Record):
    """What may be said of a slide that comes in."""

    case: str | None = Field(
        None, max_length=100, description="The case, in your own words; kept as a pseudonym, never as given."
    )
    marker: str | None = Field(None, max_length=10, description="HER2, ER, PR or Ki-67; the model's if none.")
    mpp: float | None = Field(None, gt=0.01, lt=100, description="um/px, over what the file says.")
    laboratory: str | None = Field(
        None, max_length=60, description="Which one stained it, for charts; the setting stained_by's if none."
    )

    @field_validator("marker")
    @classmethod
    def _known(cls, marker: str | None) -> str | None:
        return canonical_marker(marker) if marker else None

    @field_validator("laboratory")
    @classmethod
    def _plain(cls, laboratory: str | None) -> str | None:
        return " ".join(one_line(laboratory or "").split()) or None


class DuplicateSlideError(Exception):
    """The slide is here already; carries its pseudonym."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"This slide is here already, as {key}.")


class SlideRoom:
    """Where slides are kept, and how they get there."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.folder = settings.data / "slides"

    def path(self, slide: Slide) -> Path:
        """The slide's file, in the data folder; a registered one is a link to where it lies."""
        return self._settings.data / slide.path

    def take(self, file: Path, ending: str, about: AboutSlide, who: Who, origin: str) -> Slide:
        """Move a file that came in among the slides; `about` is pseudonymised already.

        Raises:
            NotASlideError: it is none.
            DuplicateSlideError: it is here already.
            OutputError: it cannot be moved.
        """
        digest, scanner = _looked_at(file)
        key = self._new_key(digest)
        home = make_folder(self.folder / key)
        place = home / f"{key}{ending}"
        file.replace(place)
        try:
            return self._add(key, place, digest, scanner, place.stat().st_size, "", about, who, origin)
        except BaseException:
            place.unlink(missing_ok=True)
            shutil.rmtree(home, ignore_errors=True)
            raise

    def from_source(self, source: str) -> str | None:
        """The pseudonym of the slide that came from there; its headers, so its bytes, may have changed."""
        with self._database.read() as session:
            return session.scalar(select(Slide.id).where(Slide.source == source, Slide.removed.is_(None)))

    def take_folder(
        self, folder: Path, about: AboutSlide, who: Who, source: str, origin: str = "dicomweb"
    ) -> Slide:
        """Move a DICOM series among the slides; `about` is pseudonymised already.

        Raises:
            SlideError: it is no slide.
            DuplicateSlideError: it is here already.
        """
        held = self.from_source(source)
        if held is not None:
            raise DuplicateSlideError(held)
        digest, scanner = _looked_at(folder)
        key = self._new_key(digest)
        place = make_folder(self.folder / key) / key
        folder.rename(place)
        try:
            return self._add(key, place, digest, scanner, _size_of(place), source, about, who, origin)
        except BaseException:
            shutil.rmtree(self.folder / key, ignore_errors=True)
            raise

    def register(self, given: str, about: AboutSlide, who: Who) -> Slide:
        """Take a slide by its path below an allowed root; it stays where it is.

        Raises:
            ConfigError: it is not below a root, also not by way of links.
            NotASlideError: it is no slide.
            DuplicateSlideError: it is here already.
        """
        source, about = self._allowed(given), self.pseudonymised(about)
        digest, scanner = _looked_at(source)
        key = self._new_key(digest)
        home = self.folder / key
        place = home / (key if source.is_dir() else f"{key}{ending_of(source.name)}")
        link_registered(place, source)
        try:
            size = _size_of(source)
            return self._add(key, place, digest, scanner, size, str(source), about, who, "registered")
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise

    def listed(self, limit: int = 1000) -> list[str]:
        """Slides below the allowed roots, as `register` takes them, at most so many."""
        found: list[str] = []
        for root in self._settings.roots:
            for path in find_slides(root):
                if len(found) == limit:
                    return found
                found.append(str(path))
        return found

    def remove(self, key: str, who: Who) -> bool:
        """Take a slide off the worklist and its copy off the disk; results and reviews stay on record."""
        with self._database.write() as session:
            slide = session.get(Slide, key)
            if slide is None or slide.removed is not None:
                return False
            busy = select(Job.id).where(Job.slide_id == key, Job.state.in_(("waiting", "running")))
            if session.scalar(busy.limit(1)):
                raise ConfigError(f"{key}: is waiting to be scored; cancel its jobs first.")
            slide.removed = moment()
            slide.sha256 = f"removed {slide.id}"  # it may come in again
            note(session, who.name, "slide.removed", key)
        shutil.rmtree(self.folder / key, ignore_errors=True)
        return True

    def _allowed(self, given: str) -> Path:
        if not self._settings.roots:
            raise ConfigError("No folder is open to register slides from; the setting roots names them.")
        source = below(self._settings.roots, given)
        if source is None:  # the same words for both, so that nobody can ask what exists elsewhere
            raise ConfigError(
                f"{one_line(given)}: lies in none of the folders that slides may be registered from."
            )
        return source

    def _new_key(self, digest: str) -> str:
        with self._database.read() as session:
            held = session.scalar(select(Slide.id).where(Slide.sha256 == digest))
            if held is not None:
                raise DuplicateSlideError(held)
            while True:
                letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
                key = f"S-{letters[:4]}-{letters[4:]}"
                if session.get(Slide, key) is None:
                    return key

    def _add(
        self,
        key: str,
        place: Path,
        digest: str,
        scanner: str | None,
        size: int,
        source: str,
        about: AboutSlide,
        who: Who,
        origin: str,
    ) -> Slide:
        lies = Path(source) if origin == "registered" else None
        slide = Slide(
            id=key,
            case=about.case,
            origin=origin,
            source=source,
            path=str(place.relative_to(self._settings.data)),
            sha256=digest,
            size=size,
            added_by=who.name,
            added=moment(),
            marker=about.marker,
            scanner=scanner,
            laboratory=about.laboratory or self._settings.laboratory_of(lies),
        )
        slide.words = slide.answer_words = words_of(slide)
        try:
            with self._database.write() as session:
                session.add(slide)
                session.flush()
                note(session, who.name, "slide.added", key, origin=origin, sha256=digest, case=slide.case)
        except IntegrityError:  # the same slide came twice at once
            with self._database.read() as session:
                held = session.scalar(select(Slide.id).where(Slide.sha256 == digest))
            if held is None:
                raise
            raise DuplicateSlideError(held) from None
        return slide

    def pseudonymised(self, about: AboutSlide) -> AboutSlide:
        """The same with the case's pseudonym in place of its words."""
        if about.case is None or not about.case.strip():
            return about.model_copy(update={"case": None})
        return about.model_copy(update={"case": self.case_code(about.case)})

    def case_code(self, case: str) -> str:
        """The pseudonym of a case: the same for the same words; no way back without this service's key."""
        told = hmac.new(self._secret(), " ".join(case.split()).casefold().encode(), hashlib.sha256)
        return "C-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in told.digest()[:10])

    def _secret(self) -> bytes:
        path = self._settings.data / "pseudonym.key"
        if not path.exists():
            write_bytes(path, secrets.token_bytes(32))
            os.chmod(path, 0o600)
        return path.read_bytes()


def link_registered(place: Path, source: Path) -> None:
    """Link a registered slide into the data folder, under its pseudonym, with what belongs to it."""
    make_folder(place.parent)
    place.symlink_to(source, target_is_directory=source.is_dir())
    beside = source.with_suffix("")
    if source.suffix.lower() == ".mrxs" and beside.is_dir():
        place.with_suffix("").symlink_to(beside, target_is_directory=True)


def ending_of(name: str) -> str:
    """The ending that says a file's format; "" where it is none of a slide's."""
    lower = name.lower()
    return next((ending for ending in (*SLIDE_ENDINGS, *PICTURE_ENDINGS) if lower.endswith(ending)), "")


def complete_alone(ending: str) -> bool:
    """Whether a file of this ending is a whole slide by itself."""
    return ending not in _IN_PARTS


def _size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _looked_at(path: Path) -> tuple[str, str | None]:
    """The slide's identity and its scanner; opening it also shows that it is a slide.

    Raises:
        SlideError: it is none, or cannot be read.
    """
    if not path.is_dir() and path.stat().st_size == 0:
        raise NotASlideError(path, "is empty; send it again.")
    with open_slide(path, mpp=1.0) as slide:  # um/px has no part in the hash
        scanner = one_line(" ".join(filter(None, (slide.vendor, slide.scanner)))).strip()
        return slide.content_hash(), scanner[:_LONGEST] or None


def words_of(slide: Slide) -> str:
    """What a slide is found by, without its answer."""
    return " ".join(word.lower() for word in (slide.id, slide.case, slide.marker, slide.laboratory) if word)


def slide_or_none(session: Session, key: str) -> Slide | None:
    """A slide that is on the worklist."""
    slide = session.get(Slide, key)
    return slide if slide is not None and slide.removed is None else None
