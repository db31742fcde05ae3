"""A folder of results in storage: worked on in a folder of this machine, each slide put there when done."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lowpower.errors import OutputError, StorageError
from lowpower.files import make_folder, write_bytes, write_text
from lowpower.scoring.records import ATTACHMENTS
from lowpower.slides import BOOKS
from lowpower.storage import (
    cache_folder,
    files_below,
    move_stored,
    put_stored,
    read_stored,
    remove_stored,
    version_of,
)

__all__ = ["ResultsMirror"]

_MARK = "Results of lowpower lie in the folders beside this one. Research use only.\n"


@dataclass(frozen=True)
class ResultsMirror:
    """What lies at an address, as far as a run needs it here: the records, and what this machine made.

    A slide's record is put there after all else of it, and taken away before any of it is replaced: a folder
    with a record is whole.

    Attributes:
        address: Where results lie.
        record: File name of a slide's record.
    """

    address: str
    record: str

    @property
    def here(self) -> Path:
        """The folder of this machine."""
        return cache_folder() / "results" / hashlib.sha256(self.address.encode()).hexdigest()[:24]

    def told(self, path: Path) -> str:
        """A path of this machine's folder as the address it stands for."""
        return f"{self.address}/{path.relative_to(self.here).as_posix()}".removesuffix("/.")

    def open(self) -> None:
        """See that results can be written there, and make the records here those that are there.

        Raises:
            OutputError: they cannot be written or read.
        """
        make_folder(self.here / BOOKS / "stored")
        with _as_output():
            put_stored(f"{self.address}/{BOOKS}/README.txt", _MARK.encode())
            there = self._records()
            for folder in [path.parent for path in self.here.glob(f"*/{self.record}")]:
                if folder.name not in there:  # gone there, or never put there by a killed run
                    shutil.rmtree(folder)
            for name, version in there.items():
                self._follow(name, version)

    def refresh(self, name: str) -> None:
        """Make one slide's record here what it is there: another machine may have put one since."""
        with _as_output():
            version = version_of(f"{self.address}/{name}/{self.record}")
            if version is not None:
                self._follow(name, version)

    def names(self) -> dict[str, set[str]]:
        """The names of the files in each folder there."""
        held: dict[str, set[str]] = {}
        with _as_output():
            for name in files_below(self.address):
                folder, _, file = name.partition("/")
                held.setdefault(folder, set()).add(file)
        return held

    def pictures(self) -> None:
        """Bring the pictures of earlier runs here, too."""
        with _as_output():
            for name in files_below(self.address):
                file = self.here / name
                if name.endswith(".png") and name.count("/") == 1 and not file.is_file():
                    if (file.parent / self.record).is_file():
                        write_bytes(file, read_stored(f"{self.address}/{name}"))

    def put_slide(self, folder: Path, *, anew: bool) -> None:
        """Put a slide's folder there; with `anew` false its record alone."""
        target = self.told(folder)
        with _as_output():
            if anew:
                held = set(files_below(target))
                if self.record in held:
                    remove_stored(f"{target}/{self.record}")
                made = [file for file in sorted(folder.iterdir()) if file.name in ATTACHMENTS]
                for file in made:
                    put_stored(f"{target}/{file.name}", file)
                for name in (held & set(ATTACHMENTS)) - {file.name for file in made}:
                    remove_stored(f"{target}/{name}")
            put_stored(f"{target}/{self.record}", folder / self.record)
            self._note(folder.name, version_of(f"{target}/{self.record}") or "")

    def put_file(self, file: Path) -> None:
        """Put the table or the page there."""
        with _as_output():
            put_stored(self.told(file), file)

    def forget(self, folder: Path) -> None:
        """Take a slide's record away there."""
        with _as_output():
            remove_stored(f"{self.told(folder)}/{self.record}")

    def taken(self, name: str) -> bool:
        """Whether anything lies below a name there."""
        with _as_output():
            return bool(files_below(f"{self.address}/{name}"))

    def move(self, path: Path, target: Path) -> None:
        """Move a folder or file there as it is moved here."""
        with _as_output():
            move_stored(self.told(path), self.told(target))

    def _records(self) -> dict[str, str]:
        """Folder and version of each record there."""
        return {
            name.split("/")[0]: one.version
            for name, one in files_below(self.address).items()
            if name.endswith(f"/{self.record}") and name.count("/") == 1
        }

    def _follow(self, name: str, version: str) -> None:
        folder = self.here / name
        if self._noted(name) == version and (folder / self.record).is_file():
            return
        if folder.exists():  # made by another machine since: what is here belongs to the earlier record
            shutil.rmtree(folder)
        write_bytes(folder / self.record, read_stored(f"{self.address}/{name}/{self.record}"))
        self._note(name, version)

    def _noted(self, name: str) -> str | None:
        with contextlib.suppress(OSError):
            return (self.here / BOOKS / "stored" / name).read_text(encoding="utf-8")
        return None

    def _note(self, name: str, version: str) -> None:
        write_text(self.here / BOOKS / "stored" / name, version)


@contextlib.contextmanager
def _as_output() -> Iterator[None]:
    """What cannot be put ends a run, as a full disk does."""
    try:
        yield
    except StorageError as error:
        raise OutputError(str(error)) from error
