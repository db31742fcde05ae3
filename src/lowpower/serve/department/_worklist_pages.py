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
from lowpower.serve.department.records import Database, Job, Slide
from lowpower.serve.department.records import schema as tables

__all__ = ["WorklistPages"]

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
        wanted = [Slide.removed.is_(None), *self._wanted(asked)]
        # All have the same `removed`; named here, PostgreSQL walks the index in its order and sorts nothing.
        order: list[Any] = [Slide.removed, column, Slide.id]
        if falling:
            order = [one.desc() for one in order]
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
            blind=self._blind,
            reviews=True,
            version=lowpower.__version__,
            rows=rows,
            paged=True,
            total=total,
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

    def _wanted(self, asked: WorklistAsked) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        told = asked.show if not self._blind or asked.show in ("Not scored yet", "Not reviewed") else ""
        if told in _SHOWN:
            column, values = _SHOWN[told]
            wanted.append(column.in_(values))
        for word in asked.search.split():
            column = Slide.words if self._blind else Slide.answer_words
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
            elif self._blind and slide.id not in own:
                row_told = WorklistRow(key=slide.id, name=slide.id, marker=slide.marker, state="hidden")
                about["reading"] = "none"
            else:
                row_told = WorklistRow.model_validate(slide.row)
                about["review"] = latest.get(slide.id)
            rows.append(row_told.model_copy(update=about))
        return tuple(rows)


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
