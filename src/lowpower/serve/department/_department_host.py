"""The department behind the page: the same page as over a folder, out of the database."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from lowpower.serve._drawn_regions import tidy_regions
from lowpower.serve._host import ReviewGiven, Waiting, Worklist, WorklistAsked
from lowpower.serve._reviews import Review, Verdict, review_of
from lowpower.serve._shelf import Entry, record_of
from lowpower.serve._tiles import SlidePlace
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import slide_or_none
from lowpower.serve.department._worklist_pages import WorklistPages
from lowpower.serve.department.records import Database, Job, Regions, ScoredResult, Slide, moment, note
from lowpower.serve.department.records import schema as tables

__all__ = ["DepartmentHost"]

_KEPT: Final = 256
_EARLIER: Final = 20
_ANSWERS: Final = ("issued", "refer", "ok")
"""Outcomes that say something of the slide; ok: it was measured."""


class DepartmentHost:
    """Slides, results, reviews and regions, out of the database."""

    writes = True

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.blind = settings.blind
        self._worklist = WorklistPages(database, settings)
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def reader(self, request: Request) -> str:
        """Who is signed in."""
        return str(request.state.who.name)

    def worklist(self, asked: WorklistAsked, reader: str) -> Worklist:
        """A page of the worklist."""
        return self._worklist.page(asked, reader)

    def entry(self, key: str) -> Entry | None:
        """The slide's latest answer."""
        with self._database.read() as session:
            slide = slide_or_none(session, key)
            if slide is None or slide.result_id is None:
                return None
            return self._entry(session, slide.result_id, key)

    def entry_of(self, result_id: str) -> Entry | None:
        """Any result, by its number."""
        with self._database.read() as session:
            result = session.get(ScoredResult, result_id)
            return None if result is None else self._entry(session, result_id, result.slide_id)

    def waiting(self, key: str) -> Waiting | None:
        """A slide without an answer."""
        with self._database.read() as session:
            slide = slide_or_none(session, key)
            if slide is None or slide.result_id is not None:
                return None
            job = session.scalar(
                select(Job).where(Job.slide_id == key).order_by(Job.created.desc(), Job.id).limit(1)
            )
            state: Any = slide.state
            return Waiting(
                self._place(slide, None),
                slide.marker,
                state,
                job.reason if job else None,
                job.progress if job else None,
            )

    def place(self, entry: Entry) -> SlidePlace:
        """Where the slide is now; the record may tell of another disk."""
        with self._database.read() as session:
            return self._place(session.get_one(Slide, entry.key), entry)

    def place_of(self, key: str) -> SlidePlace | None:
        """The same of any slide, by one question to the database."""
        with self._database.read() as session:
            slide = slide_or_none(session, key)
            if slide is None:
                return None
            entry = None if slide.result_id is None else self._entry(session, slide.result_id, key)
            return self._place(slide, entry)

    def _place(self, slide: Slide, entry: Entry | None) -> SlidePlace:
        path = self._settings.data / slide.path
        if entry is None:
            return SlidePlace(key=slide.id, version="0", path=path)
        return SlidePlace.of(entry, path, cure="ask who runs lowpower to put it back.")

    def marker(self, entry: Entry) -> str | None:
        """As the record says, else as the slide came in."""
        if entry.record.marker is not None:
            return entry.record.marker
        with self._database.read() as session:
            return session.get_one(Slide, entry.key).marker

    def reviews(self, entry: Entry) -> list[Review]:
        """Of the slide, whichever of its results they were of."""
        with self._database.read() as session:
            return [Review.model_validate(row.told) for row in _reviews(session, entry.key)]

    def earlier(self, entry: Entry) -> list[Entry]:
        """Answers to the same slide that gave way to this one, the latest first."""
        with self._database.read() as session:
            given = session.scalars(
                select(ScoredResult.id)
                .where(
                    ScoredResult.slide_id == entry.key,
                    ScoredResult.outcome.in_(_ANSWERS),
                    ScoredResult.folder != entry.folder.name,
                )
                .order_by(ScoredResult.created.desc())
                .limit(_EARLIER)
            ).all()
            return [self._entry(session, result_id, entry.key) for result_id in given]

    def add_review(self, entry: Entry, given: ReviewGiven, reader: str, *, blind: bool) -> Review:
        """Keep a review of the result that the reader saw."""
        review = review_of(
            entry,
            reader=reader,
            verdict=given.verdict,
            score=given.score,
            comment=given.comment,
            marker=self.marker(entry),
            blind=blind,
        )
        with self._database.write() as session:
            slide = session.get_one(Slide, entry.key, with_for_update=True)
            assert slide.result_id is not None
            held = session.get_one(ScoredResult, slide.result_id)
            if given.version and given.version != f"{held.written:x}":
                raise HTTPException(
                    409, f"{entry.key}: was scored again meanwhile; look at the new result, then review that."
                )
            before = [Review.model_validate(row.told) for row in _reviews(session, entry.key)]
            settles = slide.reading == "differ" and reader not in {one.reader for one in before}
            row = tables.Review(
                id=secrets.token_hex(16),
                slide_id=entry.key,
                result_id=held.id,
                reader=reader,
                time=review.time,
                settles=settles,
                told=review.model_dump(mode="json"),
            )
            session.add(row)
            slide.reading = "settled" if settles else _reading([*before, review], self._settings.readers)
            session.flush()
            note(
                session, reader, "review.given", entry.key,
                result=held.id, verdict=review.verdict, score=review.score, blind=blind, settles=settles,
            )  # fmt: skip
        return review

    def reported(self, entry: Entry, form: str, reader: str) -> None:
        """A row of the audit log."""
        with self._database.write() as session:
            note(session, reader, "report.made", entry.key, form=form)

    def regions(self, key: str) -> dict[str, Any]:
        """The latest that was drawn."""
        with self._database.read() as session:
            latest = session.scalar(
                select(Regions).where(Regions.slide_id == key).order_by(Regions.time.desc()).limit(1)
            )
            return {"type": "FeatureCollection", "features": []} if latest is None else latest.drawn

    def keep_regions(self, key: str, given: dict[str, Any], reader: str) -> dict[str, Any]:
        """A new row; what was drawn before stays on record."""
        drawn = tidy_regions(given)
        with self._database.write() as session:
            row = Regions(id=secrets.token_hex(16), slide_id=key, by=reader, time=moment(), drawn=drawn)
            session.add(row)
            session.flush()
            note(session, reader, "regions.drawn", key, regions=row.id, areas=len(drawn["features"]))
        return drawn

    def file(self, entry: Entry, name: str) -> Path | None:
        """A file of the result's folder."""
        return entry.file(name)

    def _entry(self, session: Session, result_id: str, key: str) -> Entry:
        """A result as the page knows it; results never change, so those that were looked at last are kept."""
        with self._lock:
            entry = self._entries.get(result_id)
            if entry is not None:
                self._entries.move_to_end(result_id)
                return entry
        result = session.get_one(ScoredResult, result_id)
        record = record_of(result.record)
        entry = Entry(key, self._settings.data / "results" / result.folder, record, result.written)
        with self._lock:
            self._entries[result_id] = entry
            while len(self._entries) > _KEPT:
                self._entries.popitem(last=False)
        return entry


def _reviews(session: Session, key: str) -> list[tables.Review]:
    return list(
        session.scalars(
            select(tables.Review).where(tables.Review.slide_id == key).order_by(tables.Review.time)
        )
    )


def _reading(reviews: Sequence[Review], readers: int) -> str:
    """How far the reading of a slide is: by each reader's latest word."""
    latest = {review.reader: review for review in reviews}
    said = {(review.verdict is Verdict.CANNOT, review.score) for review in latest.values()}
    if readers == 2 and len(latest) < 2:
        return "one"
    if readers == 2 and len(said) > 1:
        return "differ"
    last = reviews[-1]
    agrees = last.verdict is not Verdict.CANNOT and last.score == last.answered
    return "agreed" if agrees else "overruled"
