"""How readers and model agree, and whether what comes in is still what it was: numbers for the charts."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from pydantic import Field
from sqlalchemy import select

from lowpower.evaluation import confusion_matrix, kappa_quadratic, wilson
from lowpower.scoring import Record, Result
from lowpower.serve._reviews import MEASURED, Review
from lowpower.serve._shelf import record_of
from lowpower.serve.department.records import Database, ScoredResult, Slide, note, schema

__all__ = ["DRIFT", "AgreementTold", "DriftTold", "agreement_of", "drift_of", "note_drift"]

DRIFT: Final = "drift.outside"
"""What the audit log calls a month outside its limits."""

SCORES: Final = ("0", "1+", "2+", "3+")
_NEGATIVE: Final = {"null": "0", "ultralow": "0"}
_LATEST: Final = 5000
_BASE: Final = 100
"""Results that the limits of the control charts are made from: the first ones."""
_SIGMAS: Final = 3.0
_LEAST: Final = 5


class Share(Record):
    """A share with its 95 % interval (Wilson)."""

    value: float
    low: float
    high: float
    of: int


class CutoffAgreement(Record):
    """On `score >= cutoff`, where the reader is the reference."""

    cutoff: str
    positive: Share | None = Field(None, description="Positive percent agreement, as a share.")
    negative: Share | None = Field(None, description="Negative percent agreement, as a share.")


class Pair(Record):
    """Two who scored the same slides."""

    first: str
    second: str
    slides: int
    kappa: float | None = Field(None, description="Quadratic-weighted; none where it is not defined.")
    confusion: tuple[tuple[int, ...], ...] = Field((), description="Rows: the first one's scores.")
    cutoffs: tuple[CutoffAgreement, ...] = ()


class AgreementTold(Record):
    """HER2 scores of readers and model."""

    scores: tuple[str, ...] = SCORES
    readers_model: tuple[Pair, ...]
    by_month: tuple[Pair, ...]
    by_scanner: tuple[Pair, ...] = Field(description="By what the slides' files say of their scanner.")
    readers: tuple[Pair, ...]
    blind_only: bool


class Point(Record):
    """One month of a control chart."""

    month: str
    value: float
    of: int
    low: float
    high: float
    outside: bool


class Chart(Record):
    """A quantity month by month, with the limits that the first results set."""

    name: str
    points: tuple[Point, ...]


class DriftTold(Record):
    """Charts of what comes in and of what is answered."""

    charts: tuple[Chart, ...]
    base: int = Field(description="Results that the limits are made from.")


def agreement_of(database: Database, *, blind_only: bool = False) -> AgreementTold:
    """HER2 agreement of readers with the model and with one another, each reader's latest word a slide.

    Args:
        database: The service's.
        blind_only: Only reviews that were given before the answer was seen.
    """
    latest: dict[tuple[str, str], Review] = {}
    with database.read() as session:
        for told in session.scalars(select(schema.Review.told).order_by(schema.Review.time)):
            review = Review.model_validate(told)
            if review.marker == "HER2" and (review.blind or not blind_only):
                latest[review.reader, review.slide] = review
        made_by = {
            key: scanner or "scanner not known"
            for key, scanner in session.execute(
                select(Slide.id, Slide.scanner).where(Slide.id.in_(select(schema.Review.slide_id)))
            )
        }
    given = [review for review in latest.values() if _index(review.score) is not None]
    beside = [
        review
        for review in given
        if _index(review.answered) is not None and review.model != MEASURED  # no model spoke
    ]
    names = sorted({review.reader for review in given})
    model = [_with_model(f"{name}", [one for one in beside if one.reader == name]) for name in names]
    if len(names) > 1:
        model.insert(0, _with_model("all readers", beside))
    months = sorted({review.time[:7] for review in beside})
    by_month = [_with_model(month, [one for one in beside if one.time[:7] == month]) for month in months]
    scanners = sorted({made_by[review.slide] for review in beside})
    by_scanner = [
        _with_model(name, [one for one in beside if made_by[one.slide] == name]) for name in scanners
    ]
    between = []
    for first, second in itertools.combinations(names, 2):
        both = [
            (latest[first, slide].score, latest[second, slide].score)
            for reader, slide in latest
            if reader == first and (second, slide) in latest
        ]
        scored = [(a, b) for a, b in both if _index(a) is not None and _index(b) is not None]
        if scored:
            between.append(_pair(first, second, scored))
    return AgreementTold(
        readers_model=tuple(pair for pair in model if pair.slides),
        by_month=tuple(by_month),
        by_scanner=tuple(by_scanner),
        readers=tuple(between),
        blind_only=blind_only,
    )


def drift_of(database: Database) -> DriftTold:
    """Referrals, scores, glass, stains, focus and tissue, month by month, with limits of three sigma.

    Of very many results those that set the limits are looked at, and the latest.
    """
    wanted = select(ScoredResult.id, ScoredResult.created, ScoredResult.record)
    by_time = (ScoredResult.created, ScoredResult.id)
    with database.read() as session:
        first = session.execute(wanted.order_by(*by_time).limit(_BASE)).all()
        last = session.execute(wanted.order_by(*(column.desc() for column in by_time)).limit(_LATEST)).all()
    known = {row.id for row in first}
    rows = [*first, *(row for row in reversed(last) if row.id not in known)]
    told = [(row.created[:7], record_of(row.record)) for row in rows]
    results = [(month, one) for month, one in told if isinstance(one, Result)]
    answered = [(month, one) for month, one in results if one.state == "ok"]
    charts = [
        _chart("without an answer", results, lambda one: float(one.state != "ok")),
        _chart("referred", answered, lambda one: float(one.decision == "refer")),
        *(
            _chart(f"likeliest {score}", answered, lambda one, score=score: _is(one, score))  # type: ignore[misc]
            for score in SCORES
        ),
        _chart("white point, mean of red, green and blue", answered, _white),
        _chart("DAB colour, degrees from the first results", answered, _turn(answered, "dab")),
        _chart(
            "haematoxylin colour, degrees from the first results", answered, _turn(answered, "hematoxylin")
        ),
        _chart("focus: width of nuclear edges, um", answered, _edge),
        _chart("tissue, mm2", answered, lambda one: None if one.qc is None else one.qc.area_mm2),
    ]
    return DriftTold(charts=tuple(chart for chart in charts if chart.points), base=min(len(results), _BASE))


def note_drift(database: Database) -> int:
    """Write each month outside its limits into the audit log, once a chart and month; how many were new."""
    outside = [
        (chart.name, point) for chart in drift_of(database).charts for point in chart.points if point.outside
    ]
    new = 0
    with database.write() as session:
        session.get_one(schema.AuditHead, 1, with_for_update=True)  # of several workers one looks and writes
        for name, point in outside:
            held = session.scalars(
                select(schema.Audit.detail).where(
                    schema.Audit.action == DRIFT, schema.Audit.subject == name[:120]
                )
            )
            if point.month not in {json.loads(detail)["month"] for detail in held}:
                note(session, "drift watch", DRIFT, name, **point.model_dump(exclude={"outside"}))
                new += 1
    return new


def _index(score: str) -> int | None:
    plain = _NEGATIVE.get(score, score)
    return SCORES.index(plain) if plain in SCORES else None


def _with_model(name: str, reviews: Sequence[Review]) -> Pair:
    return _pair(name, "model", [(review.score, review.answered) for review in reviews])


def _pair(first: str, second: str, scores: Iterable[tuple[str, str]]) -> Pair:
    told = np.array([(_index(a), _index(b)) for a, b in scores], int).reshape(-1, 2)
    if not len(told):
        return Pair(first=first, second=second, slides=0)
    one_hot = np.eye(len(SCORES))[told[:, 1]]
    return Pair(
        first=first,
        second=second,
        slides=len(told),
        kappa=kappa_quadratic(told[:, 0], one_hot),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion_matrix(told[:, 0], one_hot)),
        cutoffs=tuple(
            CutoffAgreement(
                cutoff=score,
                positive=_share(told[told[:, 0] >= at, 1] >= at),
                negative=_share(told[told[:, 0] < at, 1] < at),
            )
            for at, score in enumerate(SCORES)
            if at > 0
        ),
    )


def _share(hits: np.ndarray) -> Share | None:
    if not len(hits):
        return None
    low, high = wilson(int(hits.sum()), len(hits))
    return Share(value=float(hits.mean()), low=low, high=high, of=len(hits))


def _is(one: Result, score: str) -> float | None:
    return None if one.answer is None else float(one.answer.likeliest == score)


def _white(one: Result) -> float | None:
    return None if one.qc is None else float(np.mean(one.qc.white_point))


def _edge(one: Result) -> float | None:
    return None if one.measured is None else one.measured.edge_um


def _stain(one: Result, which: str) -> np.ndarray | None:
    """The slide's own stain vector, of length 1."""
    if one.measured is None or one.measured.stains is None:
        return None
    vector = np.array(getattr(one.measured.stains, which), float)
    return np.asarray(vector / np.linalg.norm(vector))


def _turn(results: Sequence[tuple[str, Result]], which: str) -> Callable[[Result], float | None]:
    """How far a slide's stain vector lies from the mean of the first ones, degrees."""
    base = [vector for _, one in results if (vector := _stain(one, which)) is not None][:_BASE]
    mean = np.sum(base, axis=0) / max(1e-9, float(np.linalg.norm(np.sum(base, axis=0))))

    def turn(one: Result) -> float | None:
        vector = _stain(one, which)
        return None if vector is None else float(np.degrees(np.arccos(np.clip(vector @ mean, -1, 1))))

    return turn


def _chart(
    name: str, results: Sequence[tuple[str, Result]], value: Callable[[Result], float | None]
) -> Chart:
    """Mean of each month; limits are those of a mean of as many, by the first results' mean and spread."""
    told = [(month, value(one)) for month, one in results]
    known = [(month, number) for month, number in told if number is not None]
    base = [number for _, number in known[:_BASE]]
    points = []
    for month, group in itertools.groupby(known, key=lambda pair: pair[0]):
        numbers = [number for _, number in group]
        spread = _SIGMAS * float(np.std(base)) / math.sqrt(len(numbers))
        low, high, mean = (
            float(np.mean(base)) - spread,
            float(np.mean(base)) + spread,
            float(np.mean(numbers)),
        )
        outside = len(numbers) >= _LEAST and not low - 1e-9 <= mean <= high + 1e-9
        points.append(Point(month=month, value=mean, of=len(numbers), low=low, high=high, outside=outside))
    return Chart(name=name, points=tuple(points))
