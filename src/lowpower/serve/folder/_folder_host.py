"""A folder of results behind the page, for one person: `lowpower view`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from fastapi import Request

import lowpower
from lowpower.errors import ConfigError, one_line
from lowpower.serve._desk import WorklistRow, is_hidden, worklist_row
from lowpower.serve._drawn_regions import RegionsBook
from lowpower.serve._host import ReviewGiven, Waiting, Worklist, WorklistAsked
from lowpower.serve._reviews import Review, ReviewBook
from lowpower.serve._shelf import Entry, Shelf
from lowpower.serve._tiles import SlidePlace
from lowpower.serve.folder._folder_scoring import FolderScoring

__all__ = ["FolderHost"]

_LONGEST_NAME = 200


class FolderHost:
    """The folder, its reviews.csv and its regions."""

    def __init__(
        self, shelf: Shelf, *, blind: bool = False, writes: bool = True, scoring: FolderScoring | None = None
    ) -> None:
        self.blind, self.writes = blind, writes
        self._shelf, self._scoring = shelf, scoring
        self._book, self._regions = ReviewBook(shelf.folder), RegionsBook(shelf.folder)

    def reader(self, request: Request) -> str:
        return request.query_params.get("reader", "")[:_LONGEST_NAME]

    def worklist(self, asked: WorklistAsked, reader: str) -> Worklist:
        given = self._book.reviews()
        rows = []
        for entry in self._shelf.entries().values():
            reviews = _of(entry, given)
            hidden = is_hidden(reviews, self.blind, reader)
            job = self._scoring.latest(entry.key) if self._scoring else None
            progress = (job.progress or 0.0) if job is not None and job.state == "running" else None
            rows.append(worklist_row(entry, reviews, hidden=hidden).model_copy(update={"progress": progress}))
        rows += [self._unscored(key) for key in (self._scoring.unscored() if self._scoring else ())]
        return Worklist(
            folder=self._shelf.folder.name,
            blind=self.blind,
            reviews=self.writes,
            version=lowpower.__version__,
            rows=tuple(rows),
            scores=self._scoring is not None,
        )

    def entry(self, key: str) -> Entry | None:
        return self._shelf.entry(self._scoring.became(key) if self._scoring else key)

    def waiting(self, key: str) -> Waiting | None:
        if self._scoring is None or self.entry(key) is not None:
            return None
        path = self._scoring.unscored().get(key)
        if path is None:
            return None
        row = self._unscored(key)
        return Waiting(SlidePlace(key, "0", path), None, row.state, row.reason, row.progress)

    def place(self, entry: Entry) -> SlidePlace:
        return SlidePlace.of(
            entry,
            self._shelf.slide_file(entry),
            cure="put it back, or name its folder: lowpower view RESULTS --slides DIR",
        )

    def place_of(self, key: str) -> SlidePlace | None:
        entry = self.entry(key)
        if entry is not None:
            return self.place(entry)
        waiting = self.waiting(key)
        return None if waiting is None else waiting.place

    def marker(self, entry: Entry) -> str | None:
        if entry.record.marker is not None:
            return entry.record.marker
        told = Counter(other.record.marker for other in self._shelf.entries().values() if other.record.marker)
        return told.most_common(1)[0][0] if len(told) == 1 else None

    def reviews(self, entry: Entry) -> list[Review]:
        return _of(entry, self._book.reviews())

    def earlier(self, entry: Entry) -> list[Entry]:
        return self._shelf.earlier(entry)

    def add_review(self, entry: Entry, given: ReviewGiven, reader: str, *, blind: bool) -> Review:
        if given.version and given.version != entry.version:
            raise ConfigError(f"{entry.key}: was scored again meanwhile; look at the new result first.")
        return self._book.add(
            entry,
            reader=given.reader,
            verdict=given.verdict,
            score=given.score,
            comment=given.comment,
            marker=self.marker(entry),
            blind=blind,
        )

    def reported(self, entry: Entry, form: str, reader: str) -> None:
        """Of a folder no log is kept."""

    def regions(self, key: str) -> dict[str, Any]:
        return self._regions.read(key)

    def keep_regions(self, key: str, given: dict[str, Any], reader: str) -> dict[str, Any]:
        return self._regions.write(key, given)

    def drawn(self, key: str) -> Path | None:
        """The file of the regions that are drawn on a slide; None where there are none."""
        path = self._regions.path(key)
        return path if Path(key).name == key and path.is_file() else None

    def file(self, entry: Entry, name: str) -> Path | None:
        return entry.file(name)

    def _unscored(self, key: str) -> WorklistRow:
        """A slide without a result, and what is happening to it."""
        assert self._scoring is not None
        job = self._scoring.latest(key)
        about: dict[str, Any] = {"state": "unscored"}
        if job is not None and job.active:
            about = {"state": job.state, "progress": job.progress or 0.0}
        elif job is not None:
            about = {"state": "cancelled" if job.state == "cancelled" else "unscored", "reason": job.reason}
        return WorklistRow(key=key, name=one_line(key), marker=None, **about)


def _of(entry: Entry, reviews: list[Review]) -> list[Review]:
    """Reviews of the slide that is there now, not of another that had its folder before."""
    sha256 = entry.record.slide_sha256 or ""
    return [review for review in reviews if review.slide == entry.key and review.slide_sha256 == sha256]
