"""The results that may be looked at: what a folder records, by the names of its slides' folders."""

from __future__ import annotations

import glob
import json
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.errors import ConfigError, OptionError
from lowpower.scoring import MeasuredSlide, Result
from lowpower.slides import find_slides

__all__ = ["Entry", "Shelf", "record_of"]

_KINDS: Final[dict[str, type[Result] | type[MeasuredSlide]]] = {
    "result.json": Result,
    "measurement.json": MeasuredSlide,
}
_ASIDE: Final = "set-aside-*"


@dataclass(frozen=True, eq=False)
class Entry:
    """One slide of the folder.

    Attributes:
        key: Name of its folder, and its name in every address.
        folder: Where its pictures and tables are.
        record: What is recorded of it.
        written: When that was written, nanoseconds since 1970.
    """

    key: str
    folder: Path
    record: Result | MeasuredSlide
    written: int

    @property
    def version(self) -> str:
        """Changes with the record: part of the addresses of what may be kept."""
        return f"{self.written:x}"

    def file(self, name: str) -> Path | None:
        """A file of the slide's folder; None where it is absent or a link leads out of that folder."""
        path = (self.folder / name).resolve()
        return path if path.is_file() and path.parent == self.folder.resolve() else None


class Shelf:
    """A folder of results, read anew where a record has changed; nothing in it is written.

    Attributes:
        folder: The folder.
        slides: Where slides are looked for by name when they are not where they were scored.
    """

    def __init__(
        self, folder: str | Path, slides: str | Path | None = None, *, to_fill: bool = False
    ) -> None:
        """Look into the folder.

        Args:
            folder: The folder.
            slides: Where slides lie now.
            to_fill: Whether it may be empty, or not there yet, as that of slides nobody scored.

        Raises:
            OptionError: it is no folder.
            ConfigError: it holds no results.
        """
        self.folder = Path(folder).absolute()
        self.slides = None if slides is None else Path(slides).absolute()
        self._known: dict[Path, Entry] = {}
        self._lock = threading.Lock()
        if to_fill and not self.folder.exists():
            return
        if not self.folder.is_dir():
            what = "is a file" if self.folder.exists() else "no such folder"
            raise OptionError(f"{folder}: {what}; name the folder that `lowpower score` wrote.")
        if not to_fill and not self.entries():
            raise ConfigError(f"{folder}: {_without_results(self.folder, str(folder))}")

    @classmethod
    def beside(cls, folder: str | Path, slides: str | Path | None = None) -> Shelf:
        """The results of a folder, or those that slides of the folder have or will have beside it.

        Args:
            folder: Results, or slides: then their results are in `<folder>-results`.
            slides: Where slides lie, of a folder of results.

        Raises:
            OptionError: it is no folder.
            ConfigError: it holds neither results nor slides.
        """
        try:
            return cls(folder, slides)
        except ConfigError as error:
            if slides is not None:
                return cls(folder, slides, to_fill=True)
            if isinstance(error, OptionError) or not find_slides(Path(folder)):
                raise
        return cls(results_beside(folder), folder, to_fill=True)

    def entries(self) -> Mapping[str, Entry]:
        """Every slide by its key, by name; what cannot be read is left out."""
        found: dict[Path, Entry] = {}
        with self._lock:
            for name, kind in _KINDS.items():
                for path in self.folder.glob(f"*/{name}"):
                    entry = self._entry(path, kind)
                    if entry is not None:
                        found[path] = entry
            self._known = found
        return {entry.key: entry for entry in sorted(found.values(), key=lambda entry: entry.key)}

    def entry(self, key: str) -> Entry | None:
        """The slide of that key; None where there is none, or the key is no plain name of a folder."""
        if key in ("", ".", "..") or Path(key).name != key:
            return None
        for name, kind in _KINDS.items():
            path = self.folder / key / name
            entry = self._entry(path, kind)
            if entry is not None:
                self._known[path] = entry
                return entry
        return None

    def earlier(self, entry: Entry) -> list[Entry]:
        """Results of the same slide that were set aside, the latest first."""
        found = []
        for name, kind in _KINDS.items():
            for path in self.folder.glob(f"{_ASIDE}/{glob.escape(entry.key)}/{name}"):
                held = self._entry(path, kind)
                if held is not None and held.record.slide_sha256 == entry.record.slide_sha256:
                    found.append(held)
        return sorted(found, key=lambda one: one.written, reverse=True)

    def _entry(self, path: Path, kind: type[Result] | type[MeasuredSlide]) -> Entry | None:
        try:
            written = path.stat().st_mtime_ns
            known = self._known.get(path)
            if known is not None and known.written == written:
                return known
            return Entry(path.parent.name, path.parent, kind.model_validate_json(path.read_bytes()), written)
        except (OSError, ValueError):  # absent, no record, or no name that a file can have
            return None

    def slide_file(self, entry: Entry) -> Path:
        """Where the slide is: as recorded, beside the folder of results, or under `slides` by its name."""
        told = Path(entry.record.file)
        places = [told.absolute(), self.folder.parent / told]
        if self.slides is not None and not places[0].is_relative_to(self.slides):
            places = [self.slides / told.name, *places]
        return next((place for place in places if place.exists()), places[0])


def record_of(text: str | bytes) -> Result | MeasuredSlide:
    """A record out of its JSON, whichever verb made it: only a scored one has a place for a decision.

    Raises:
        ValueError: it is no record.
    """
    kind = Result if "decision" in json.loads(text) else MeasuredSlide
    return kind.model_validate_json(text)


def results_beside(slides: str | Path) -> Path:
    """Where results of a folder of slides go, when nobody says."""
    return Path(f"{str(slides).rstrip('/')}-results")


def _without_results(folder: Path, given: str) -> str:
    """What a folder holds instead of results, and the commands that make some."""
    slides = find_slides(folder)
    if not slides:
        return f"holds no results; make some with: lowpower score SLIDES --out {shlex.quote(given)}"
    count = "1 slide that is" if len(slides) == 1 else f"{len(slides)} slides that are"
    results = shlex.quote(str(results_beside(given)))
    return (
        f"holds {count} not scored here; first: lowpower score {shlex.quote(given)} --out {results}, then: "
        f"lowpower view {results}"
    )
