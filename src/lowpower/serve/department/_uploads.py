"""Slides that come in piece by piece: each with its checksum, going on where it stopped."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.errors import ConfigError, LowpowerError, NotASlideError, OutputError, SlideError, one_line
from lowpower.files import make_folder, output_errors, sha256_of
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import AboutSlide, SlideRoom, complete_alone, ending_of
from lowpower.serve.department.access import Who
from lowpower.serve.department.exchange import SeriesParts
from lowpower.serve.department.records import Database, Slide, Upload, moment, note

__all__ = [
    "ChecksumError", "Completed", "DiskFullError", "TooLargeError", "Uploads", "WrongOffsetError", "about_of",
]  # fmt: skip

_OLD_S: Final = 7 * 86400
_DICOM: Final = (".dcm", ".dicom")
_VERB: Final = re.compile(r"(is|ends|has|holds|lacks|packs|says|stores|does|cannot|came|gave)\b")
"""How what is wrong with a slide begins, where it is said of the file and not of a part of it."""


@dataclass(frozen=True)
class Completed:
    """What became of a file that came in.

    Attributes:
        slide: The slide's pseudonym; None while parts of it are missing.
        waits_for: What is missing, in a sentence.
    """

    slide: str | None
    waits_for: str | None


class TooLargeError(Exception):
    """More than may be uploaded."""


class DiskFullError(Exception):
    """Too little room would be left."""


class ChecksumError(Exception):
    """What arrived is not what was sent."""


class WrongOffsetError(Exception):
    """The piece does not follow what is here; carries where to go on."""

    def __init__(self, received: int) -> None:
        self.received = received
        super().__init__(f"Go on at byte {received}.")


class Uploads:
    """What is coming in."""

    def __init__(self, database: Database, settings: Settings, slides: SlideRoom) -> None:
        self._database, self._settings, self._slides = database, settings, slides
        self._series = SeriesParts(settings, slides)
        self.folder = settings.data / "uploads"
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def begin(
        self, who: Who, name: str, size: int, sha256: str | None, about: AboutSlide, files: int = 1
    ) -> Upload:
        """Make room for a slide.

        Args:
            who: Who sends it.
            name: The file's name; only its ending is kept.
            size: Bytes.
            sha256: Of the whole file, where the sender knows it.
            about: What is said of it.
            files: How many files the slide has, where it is a DICOM series.

        Raises:
            NotASlideError: by its name it is none, or a part of one.
            TooLargeError: it is larger than allowed.
            DiskFullError: too little room would be left.
        """
        ending = ending_of(name)
        shown = Path(one_line(name).replace("\\", "/")).name or "file"
        if not ending:
            raise NotASlideError(
                shown, "is no slide by its ending; send SVS, NDPI, TIFF, SCN, BIF, DICOM, PNG or JPEG."
            )
        if not complete_alone(ending) and ending not in _DICOM:
            raise NotASlideError(
                shown,
                "is only a part of its slide; put the whole folder where slides can be registered from.",
            )
        if size > self._settings.most_bytes:
            raise TooLargeError(
                f"{shown}: has {size / 1e9:.1f} GB, and {self._settings.upload_gb:g} GB are allowed."
            )
        self._room_for(size)
        upload = Upload(
            id=secrets.token_hex(16),
            by=who.name,
            ending=ending,
            size=size,
            received=0,
            sha256=None if sha256 is None else sha256.lower(),
            about={**self._slides.pseudonymised(about).model_dump(), "files": files},
            created=moment(),
        )
        make_folder(self.folder)
        with output_errors(self._part(upload)):
            self._part(upload).touch()
        with self._database.write() as session:
            session.add(upload)
        self._sweep()
        return upload

    def get(self, who: Who, upload_id: str) -> Upload | None:
        """One's own upload."""
        with self._database.read() as session:
            upload = session.get(Upload, upload_id)
            return upload if upload is not None and upload.by == who.name else None

    def add(self, upload: Upload, offset: int, piece: bytes, digest: str | None) -> int:
        """Add a piece; what is here now.

        Args:
            upload: The upload.
            offset: Where the piece begins.
            piece: At most `Settings.chunk_bytes`.
            digest: "sha-256=BASE64" of the piece, where the sender gives it.

        Raises:
            WrongOffsetError: it does not follow what is here.
            ChecksumError: it was changed on the way.
            TooLargeError: it goes beyond the size that was announced.
            DiskFullError: the disk is nearly full.
        """
        with self._alone(upload):
            if upload.slide_id is not None or offset != upload.received:
                raise WrongOffsetError(upload.received)
            if offset + len(piece) > upload.size:
                raise TooLargeError(f"More came than the {upload.size} bytes that were announced.")
            if digest is not None and digest != f"sha-256={_base64_sha256(piece)}":
                raise ChecksumError("This piece was changed on the way (SHA-256); send it again.")
            self._room_for(len(piece))
            with output_errors(self._part(upload)), self._part(upload).open("r+b") as part:
                part.truncate(offset)  # of a piece that was cut off by a crash
                part.seek(offset)
                part.write(piece)
                part.flush()
                os.fsync(part.fileno())
            with self._database.write() as session:
                kept = session.get_one(Upload, upload.id)
                kept.received = offset + len(piece)
            return offset + len(piece)

    def complete(self, upload: Upload, who: Who) -> Completed:
        """Make a slide of what came in, once all of it did. Asked twice it says the same.

        Raises:
            WrongOffsetError: something is missing.
            ChecksumError: it is not what was announced; what came is thrown away.
            SlideError: it is no slide; likewise.
            DuplicateSlideError: it is here already; likewise.
        """
        with self._alone(upload):
            if upload.slide_id is not None or "waits_for" in upload.about:
                return Completed(upload.slide_id, upload.about.get("waits_for"))
            if upload.received != upload.size:
                raise WrongOffsetError(upload.received)
            part = self._part(upload)
            named = part.with_name(f"{upload.id}{upload.ending}")
            try:
                if upload.sha256 is not None and sha256_of(part) != upload.sha256:
                    raise ChecksumError(
                        "The file is not the one that was announced (SHA-256); send it again."
                    )
                part.replace(named)
                taken = self._taken(named, upload, who)
            except BaseException as error:
                if isinstance(error, Exception) and not isinstance(error, OutputError | OSError):
                    self.forget(upload, who)
                    named.unlink(missing_ok=True)
                elif named.exists():
                    named.replace(part)
                raise
            with self._database.write() as session:
                kept = session.get_one(Upload, upload.id)
                if isinstance(taken, str):
                    kept.about = {**kept.about, "waits_for": taken}
                    return Completed(None, taken)
                kept.slide_id = taken.id
            return Completed(taken.id, None)

    def _taken(self, named: Path, upload: Upload, who: Who) -> Slide | str:
        about = about_of(upload)
        try:
            if upload.ending in _DICOM:
                return self._series.take(named, upload.about.get("files", 1), about, who)
            return self._slides.take(named, upload.ending, about, who, "upload")
        except SlideError as error:
            said = str(error).removeprefix(f"{error.path}: ")
            raise _Refused(f"The file{' ' if _VERB.match(said) else ': '}{said}") from error

    def forget(self, upload: Upload, who: Who) -> None:
        """Throw away what came in."""
        with self._database.write() as session:
            kept = session.get(Upload, upload.id)
            if kept is not None:
                session.delete(kept)
            note(session, who.name, "upload.dropped", upload.id)
        self._part(upload).unlink(missing_ok=True)

    def _part(self, upload: Upload) -> Path:
        return self.folder / f"{upload.id}.part"

    def _room_for(self, size: int) -> None:
        make_folder(self._settings.data)
        free = shutil.disk_usage(self._settings.data).free
        if free - size < self._settings.keep_free_bytes:
            raise DiskFullError(
                f"The disk is nearly full: {free / 1e9:.1f} GB are free, and {self._settings.keep_free_gb:g} "
                "GB must stay so. Free space, or lower keep_free_gb; results can still be looked at."
            )

    def _sweep(self) -> None:
        """Throw away what nobody finished for a week."""
        for part in self.folder.glob("*.part"):
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < time.time() - _OLD_S:
                    part.unlink()

    @contextlib.contextmanager
    def _alone(self, upload: Upload) -> Iterator[None]:
        """Of two requests for one upload the later is told to wait its turn."""
        with self._lock:
            if upload.id in self._busy:
                raise WrongOffsetError(upload.received)
            self._busy.add(upload.id)
        try:
            with self._database.read() as session:
                now = session.get(Upload, upload.id)
                if now is None:
                    raise ConfigError("This upload is no longer here; begin again.")
                upload.received, upload.slide_id, upload.about = now.received, now.slide_id, now.about
            yield
        finally:
            with self._lock:
                self._busy.discard(upload.id)


def about_of(upload: Upload) -> AboutSlide:
    """What was said of the slide that an upload is, or is a part of."""
    return AboutSlide.model_validate({name: upload.about.get(name) for name in AboutSlide.model_fields})


class _Refused(LowpowerError):
    """What came in is no slide; without the path that it had here."""

    code = "not_a_slide"
    state = "refused"


def _base64_sha256(piece: bytes) -> str:
    return base64.b64encode(hashlib.sha256(piece).digest()).decode()
