"""A case: its slides of all markers, and the subtype that they give together; nothing is guessed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
from pydantic import Field
from sqlalchemy import select

from lowpower.scoring import PatientSubtype, Record, subtypes_of
from lowpower.serve._reviews import Review, Verdict
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.records import Database, Slide, schema

__all__ = ["CaseTold", "case_of"]

_MARKERS: Final = ("HER2", "ER", "PR", "Ki-67")
_COLUMNS: Final = {"patient": pl.String, "slide": pl.String, "score": pl.String, "reason": pl.String}
_HIDDEN: Final = "in blind mode this is shown after your review"


class CaseSlide(Record):
    """What of a slide counts for its case."""

    slide: str
    marker: str
    score: str = Field(description="A reader's where there is one, else an issued answer; empty: none yet.")
    by: str = Field(description="Who says so: a reader, lowpower, or nobody.")
    missing: str = Field("", description="Why there is none.")


class CaseTold(Record):
    """The markers of a case joined, by the rule of `lowpower subtype`."""

    case: str
    her2: str
    er: str
    pr: str
    ki67: str
    subtype: str
    missing: str
    slides: tuple[CaseSlide, ...]


def case_of(database: Database, settings: Settings, case: str, reader: str) -> CaseTold | None:
    """A case as this reader may see it; None where no slide belongs to it.

    Args:
        database: The service's.
        settings: Whether it is blind, and how many readers a slide needs.
        case: Its pseudonym.
        reader: Who asks.

    Raises:
        PredictionsError: scores of the slides cannot be joined.
    """
    with database.read() as session:
        slides = list(
            session.scalars(
                select(Slide).where(Slide.case == case, Slide.removed.is_(None)).order_by(Slide.id)
            )
        )
        given = session.scalars(
            select(schema.Review)
            .where(schema.Review.slide_id.in_([slide.id for slide in slides]))
            .order_by(schema.Review.time)
        )
        reviews: dict[str, list[Review]] = {}
        for row in given:
            reviews.setdefault(row.slide_id, []).append(Review.model_validate(row.told))
    if not slides:
        return None
    told = [_slide(slide, reviews.get(slide.id, []), settings, reader) for slide in slides]
    joined = _joined(case, told)
    return CaseTold(
        case=case,
        her2=joined.her2,
        er=joined.er,
        pr=joined.pr,
        ki67=joined.ki67,
        subtype=joined.subtype,
        missing=joined.missing,
        slides=tuple(told),
    )


def _slide(slide: Slide, reviews: Sequence[Review], settings: Settings, reader: str) -> CaseSlide:
    marker = str((slide.row or {}).get("marker") or slide.marker or "HER2")

    def without(why: str) -> CaseSlide:
        return CaseSlide(slide=slide.id, marker=marker, score="", by="", missing=why)

    if settings.blind and not any(review.reader == reader for review in reviews):
        return without(_HIDDEN)
    if slide.reading in ("one", "differ"):
        waits = {"one": "it waits for a second reader", "differ": "its readers differ"}
        return without(waits[slide.reading])
    if reviews:
        last = reviews[-1]
        if last.verdict is Verdict.CANNOT:
            return without(f"{last.reader} cannot score it")
        return CaseSlide(slide=slide.id, marker=marker, score=last.score, by=last.reader)
    if slide.state == "issued":
        return CaseSlide(slide=slide.id, marker=marker, score=slide.score, by="lowpower")
    return without(f"it is {slide.state}")


def _joined(case: str, slides: Sequence[CaseSlide]) -> PatientSubtype:
    """The rule of `lowpower subtype`, which reads a table a marker."""
    with tempfile.TemporaryDirectory(prefix="lowpower-case-") as folder:
        tables: list[Path | None] = []
        for marker in _MARKERS:
            rows = [
                (case, one.slide, one.score or "refer", one.missing) for one in slides if one.marker == marker
            ]
            path = Path(folder) / f"{marker}.csv"
            pl.DataFrame(rows, schema=_COLUMNS, orient="row").write_csv(path)
            tables.append(path if rows or marker != "Ki-67" else None)
        her2, er, pr, ki67 = tables
        assert her2 is not None
        assert er is not None
        assert pr is not None
        (joined,) = subtypes_of(her2, er, pr, ki67)
        return joined
