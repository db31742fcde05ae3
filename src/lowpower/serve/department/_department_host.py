"""The department behind the page: the same page as over a folder, out of the database."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException, Request
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

import lowpower
from lowpower.errors import ConfigError
from lowpower.scoring import Result
from lowpower.serve._desk import WorklistRow
from lowpower.serve._drawn_regions import tidy_regions
from lowpower.serve._host import ReviewGiven, Waiting, Worklist, WorklistAsked
from lowpower.serve._reviews import Review, Verdict, review_of
from lowpower.serve._shelf import Entry
from lowpower.serve._tiles import SlidePlace
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import slide_or_none
from lowpower.serve.department.records import Database, Job, Regions, ScoredResult, Slide, moment, note
from lowpower.serve.department.records import schema as tables

__all__ = ["DepartmentHost"]

_KEPT: Final = 256
_MANY: Final = 5000
_COUNTED_S: Final = 10.0
_SORTS: Final[dict[str, tuple[InstrumentedAttribute[Any], bool]]] = {
    "Referred first": (Slide.rank, False),
    "Least sure first": (Slide.sureness, False),
    "Score": (Slide.score, True),
    "Name": (Slide.id, False),
    "Newest first": (Slide.added, True),
}
_SHOWN: Final[dict[str, tuple[InstrumentedAttribute[str], tuple[str, ...]]]] = {
    "Referred": (Slide.state, ("referred",)),
    "Issued": (Slide.state, ("issued", "measured")),
    "Refused or failed": (Slide.state, ("refused", "failed")),
    "Not scored yet": (Slide.state, ("waiting", "running", "unscored", "cancelled")),
    "Not reviewed": (Slide.reading, ("none",)),
    "Overruled": (Slide.reading, ("overruled",)),
    "Readers differ": (Slide.reading, ("differ",)),
    "Needs a second reader": (Slide.reading, ("one",)),
}


class DepartmentHost:
    """Slides, results, reviews and regions, out of the database."""

    writes = True

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.blind = settings.blind
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def reader(self, request: Request) -> str:
        """Who is signed in."""
        return str(request.state.who.name)

    def worklist(self, asked: WorklistAsked, reader: str) -> Worklist:
        """A page of the worklist. In blind mode no order and no filter tells what a hidden slide holds."""
        sort = "Name" if self.blind or asked.sort not in _SORTS else asked.sort
        if not asked.sort and not self.blind:
            sort = "Referred first"
        column, falling = _SORTS[sort]
        wanted = [Slide.removed.is_(None), *self._wanted(asked)]
        order = (column.desc(), Slide.id.desc()) if falling else (column, Slide.id)
        page = select(Slide).where(*wanted).order_by(*order).limit(asked.limit + 1)
        if asked.cursor:
            page = page.where(_after(column, falling, asked.cursor))
        with self._database.read() as session:
            slides = list(session.scalars(page))
            total = self._count(session, wanted, f"{asked.show}|{asked.search}")
            reviewed = self._count(session, [Slide.removed.is_(None), Slide.reading != "none"], "reviewed")
            shown = slides[: asked.limit]
            rows = self._rows(session, shown, reader)
        following = None
        if len(slides) > asked.limit:
            last = shown[-1]
            following = _cursor(getattr(last, column.key), last.id)
        return Worklist(
            folder=self._settings.name,
            blind=self.blind,
            reviews=self.writes,
            version=lowpower.__version__,
            rows=rows,
            paged=True,
            total=total,
            reviewed=reviewed,
            next=following,
        )

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

    def _count(self, session: Session, wanted: list[ColumnElement[bool]], name: str) -> int:
        """How many slides; of many not to the moment, for counting takes longer than a page."""
        held, then = self._counts.get(name, (0, 0.0))
        if held > _MANY and time.monotonic() < then + _COUNTED_S:
            return held
        count = session.scalar(select(func.count()).select_from(Slide).where(*wanted)) or 0
        if len(self._counts) > _KEPT:
            self._counts.clear()
        self._counts[name] = (count, time.monotonic())
        return count

    def _entry(self, session: Session, result_id: str, key: str) -> Entry:
        """A result as the page knows it; results never change, so those that were looked at last are kept."""
        with self._lock:
            entry = self._entries.get(result_id)
            if entry is not None:
                self._entries.move_to_end(result_id)
                return entry
        result = session.get_one(ScoredResult, result_id)
        record = Result.model_validate_json(result.record)
        entry = Entry(key, self._settings.data / "results" / result.folder, record, result.written)
        with self._lock:
            self._entries[result_id] = entry
            while len(self._entries) > _KEPT:
                self._entries.popitem(last=False)
        return entry

    def _wanted(self, asked: WorklistAsked) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        told = asked.show if not self.blind or asked.show in ("Not scored yet", "Not reviewed") else ""
        if told in _SHOWN:
            column, values = _SHOWN[told]
            wanted.append(column.in_(values))
        for word in asked.search.split():
            column = Slide.words if self.blind else Slide.answer_words
            wanted.append(column.contains(word.lower(), autoescape=True))
        return wanted

    def _rows(self, session: Session, slides: Sequence[Slide], reader: str) -> tuple[WorklistRow, ...]:
        keys = [slide.id for slide in slides]
        latest: dict[str, Review] = {}
        own: set[str] = set()
        for row in session.scalars(
            select(tables.Review).where(tables.Review.slide_id.in_(keys)).order_by(tables.Review.time)
        ):
            latest[row.slide_id] = Review.model_validate(row.told)
            if row.reader == reader:
                own.add(row.slide_id)
        active = {
            job.slide_id: job
            for job in session.scalars(
                select(Job).where(Job.slide_id.in_(keys), Job.state.in_(("waiting", "running")))
            )
        }
        rows = []
        for slide in slides:
            job = active.get(slide.id)
            about: dict[str, Any] = {
                "progress": None if job is None else job.progress or 0.0,
                "case": slide.case,
                "reading": slide.reading,
            }
            if slide.row is None:
                state: Any = slide.state
                row_told = WorklistRow(key=slide.id, name=slide.id, marker=slide.marker, state=state)
            elif self.blind and slide.id not in own:
                row_told = WorklistRow(key=slide.id, name=slide.id, marker=slide.marker, state="hidden")
                about["reading"] = "none"
            else:
                row_told = WorklistRow.model_validate(slide.row)
                about["review"] = latest.get(slide.id)
            rows.append(row_told.model_copy(update=about))
        return tuple(rows)


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


def _cursor(value: Any, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([value, key]).encode()).decode()


def _after(column: InstrumentedAttribute[Any], falling: bool, cursor: str) -> ColumnElement[bool]:
    """Rows that come after the one that a cursor names."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(key, str) or not isinstance(value, str | int | float):
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise ConfigError("cursor: is none that this service gave; begin at the first page.") from error
    if falling:
        return or_(column < value, and_(column == value, Slide.id < key))
    return or_(column > value, and_(column == value, Slide.id > key))
