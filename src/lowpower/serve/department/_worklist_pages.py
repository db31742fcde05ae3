"""The department's worklist, a page at a time: searched, filtered and sorted by the database."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

import lowpower
from lowpower.errors import ConfigError
from lowpower.serve._desk import WorklistRow
from lowpower.serve._host import Worklist, WorklistAsked
from lowpower.serve._reviews import Review
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.records import RANKS, Database, Job, Slide, found_slides, like_words
from lowpower.serve.department.records import schema as tables

__all__ = ["WorklistPages"]

_KEPT: Final = 256
_MANY: Final = 5000
_COUNTED_S: Final = 10.0
_FEW: Final = 2000
"""Slides that a search may find for them to be looked up one by one and counted exactly."""
_SORTS: Final[dict[str, tuple[InstrumentedAttribute[Any], bool]]] = {
    "Referred first": (Slide.rank, False),
    "Least sure first": (Slide.sureness, False),
    "Score": (Slide.score, True),
    "Name": (Slide.id, False),
    "Newest first": (Slide.added, True),
}
_SHOWN: Final[dict[str, tuple[InstrumentedAttribute[Any], tuple[Any, ...]]]] = {
    # By the ranks of states: the index in the order that comes first is that of what is shown, too.
    "Referred": (Slide.rank, (RANKS["referred"],)),
    "Issued": (Slide.rank, (RANKS["issued"], RANKS["measured"])),
    "Refused or failed": (Slide.rank, (RANKS["refused"], RANKS["failed"])),
    "Not scored yet": (Slide.rank, tuple(RANKS[s] for s in ("running", "waiting", "cancelled", "unscored"))),
    "Not reviewed": (Slide.reading, ("none",)),
    "Overruled": (Slide.reading, ("overruled",)),
    "Readers differ": (Slide.reading, ("differ",)),
    "Needs a second reader": (Slide.reading, ("one",)),
}


class WorklistPages:
    """Pages of slides; in blind mode no order and no filter tells what a hidden slide holds."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._blind = settings.blind
        self._counts: dict[str, tuple[int, float]] = {}

    def page(self, asked: WorklistAsked, reader: str) -> Worklist:
        """The page that is asked for, as this reader may see it."""
        sort = "Name" if self._blind or asked.sort not in _SORTS else asked.sort
        if not asked.sort and not self._blind:
            sort = "Referred first"
        column, falling = _SORTS[sort]
        shown_states, words = self._shown_states(asked), asked.search.replace("\0", " ").lower().split()
        with self._database.read() as session:
            keys = found_slides(session, words, blind=self._blind, most=_FEW) if words else None
            if keys is not None:
                wanted: list[ColumnElement[bool]] = [Slide.id.in_(keys), *shown_states]
                order: list[Any] = [column, Slide.id]
            else:
                wanted = [Slide.removed.is_(None), *shown_states]
                # All have the same `removed`; named here, PostgreSQL walks the index and sorts nothing.
                order = [Slide.removed, column, Slide.id]
                if words:  # so many slides have them that a page is full soon
                    wanted.append(like_words(words, blind=self._blind))
            if falling:
                order = [one.desc() for one in order]
            page = select(Slide).where(*wanted).order_by(*order).limit(asked.limit + 1)
            if asked.cursor:
                page = page.where(_after(column, falling, asked.cursor))
            slides = list(session.scalars(page))
            or_more = False
            if not words:
                total = self._count(session, wanted, asked.show)
            elif not shown_states:
                total, or_more = (_FEW, True) if keys is None else (len(keys), False)
            elif len(slides) <= asked.limit and not asked.cursor:
                total = len(slides)
            else:
                total, or_more = _count_few(session, wanted)
            reviewed = self._count(session, [Slide.removed.is_(None), Slide.reading != "none"], "reviewed")
            shown = slides[: asked.limit]
            rows = self._rows(session, shown, reader)
        following = None
        if len(slides) > asked.limit:
            last = shown[-1]
            following = _cursor(getattr(last, column.key), last.id)
        return Worklist(
            folder=self._settings.name,
            blind=self._blind,
            reviews=True,
            version=lowpower.__version__,
            rows=rows,
            paged=True,
            total=total,
            or_more=or_more,
            reviewed=reviewed,
            next=following,
        )

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

    def _shown_states(self, asked: WorklistAsked) -> list[ColumnElement[bool]]:
        told = asked.show if not self._blind or asked.show in ("Not scored yet", "Not reviewed") else ""
        if told not in _SHOWN:
            return []
        column, values = _SHOWN[told]
        return [column.in_(values)]

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
            elif self._blind and slide.id not in own:
                row_told = WorklistRow(key=slide.id, name=slide.id, marker=slide.marker, state="hidden")
                about["reading"] = "none"
            else:
                row_told = WorklistRow.model_validate(slide.row)
                about["review"] = latest.get(slide.id)
            rows.append(row_told.model_copy(update=about))
        return tuple(rows)


def _count_few(session: Session, wanted: list[ColumnElement[bool]]) -> tuple[int, bool]:
    """How many slides a search finds, up to `_FEW`, and whether there are more."""
    some = select(Slide.id).where(*wanted).limit(_FEW + 1).subquery()
    count = session.scalar(select(func.count()).select_from(some)) or 0
    return min(count, _FEW), count > _FEW


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
