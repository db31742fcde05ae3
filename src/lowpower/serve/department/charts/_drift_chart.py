"""Whether what comes in is still what it was, and what the model was fitted on: for control charts."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
from pydantic import Field
from sqlalchemy import select

from lowpower.scoring import Record, Result
from lowpower.serve._shelf import record_of
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.charts._agreement_chart import SCORES
from lowpower.serve.department.charts._fit_ranges import FitRanges
from lowpower.serve.department.records import Database, ScoredResult, note, schema

__all__ = ["DRIFT", "DriftTold", "drift_of", "note_drift"]

DRIFT: Final = "drift.outside"
"""What the audit log calls a month outside its limits."""

_LATEST: Final = 5000
_BASE: Final = 100
"""Results that the limits of the control charts are made from: the first ones."""
_SIGMAS: Final = 3.0
_LEAST: Final = 5


class Point(Record):
    """One month of a control chart."""

    month: str
    value: float
    of: int
    low: float
    high: float
    outside: bool


class Chart(Record):
    """A quantity month by month, with limits."""

    name: str
    limits: Literal["first results", "fit"] = Field(
        description="What set them: this service's first results, or the slides that the model was fitted on."
    )
    points: tuple[Point, ...]


class DriftTold(Record):
    """Charts of what comes in and of what is answered."""

    charts: tuple[Chart, ...]
    base: int = Field(description="Results that the limits by the first results are made from.")
    fit: str | None = Field(
        description="The models whose fits set the others, and of how many slides; none where none keeps any."
    )
    without_fit: tuple[str, ...] = Field(
        description="Of each model whose fit's slides are not known why that is, in a sentence."
    )


def drift_of(database: Database, settings: Settings) -> DriftTold:
    """Referrals, scores, glass, stains, focus and tissue, month by month, with limits.

    Change is told by limits of three sigma around the first results. What decides whether a slide looks like
    those that the model was fitted on is held against these slides, too: a department can be steady and far
    from them. Of very many results those that set the limits are looked at, and the latest.

    Args:
        database: The service's.
        settings: Which model scores.
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
    found = [FitRanges.of(name) for name in dict.fromkeys((settings.model, *settings.models))]
    fits = [fit for fit in found if isinstance(fit, FitRanges)]
    for fit in fits:
        charts += _against(fit, answered, "" if fit is found[0] else f" of {fit.model}")
    return DriftTold(
        charts=tuple(chart for chart in charts if chart.points),
        base=min(len(results), _BASE),
        fit="; ".join(f"{fit.model}, {fit.slides} slides" for fit in fits) or None,
        without_fit=tuple(why for why in found if isinstance(why, str)),
    )


def note_drift(database: Database, settings: Settings) -> int:
    """Write each month outside its limits into the audit log, once a chart and month; how many were new."""
    outside = [
        (chart.name, point)
        for chart in drift_of(database, settings).charts
        for point in chart.points
        if point.outside
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
    return Chart(name=name, limits="first results", points=tuple(points))


def _against(fit: FitRanges, results: Sequence[tuple[str, Result]], whose: str) -> list[Chart]:
    """Mean of each month's slides that the model scored, between the ends of what its fit's slides were.

    The ends are those of single slides, of many laboratories: one laboratory's mean need not be theirs, so
    they do not close in with the number of slides.
    """
    told = [(month, fit.appearance(one)) for month, one in results]
    known = [(month, values) for month, values in told if values is not None]
    months = [
        (month, np.array([values for _, values in group]))
        for month, group in itertools.groupby(known, key=lambda pair: pair[0])
    ]
    charts = []
    for column, (name, low, high) in enumerate(fit.ranges):
        points = []
        for month, values in months:
            mean = float(values[:, column].mean())
            outside = len(values) >= _LEAST and not low <= mean <= high
            points.append(Point(month=month, value=mean, of=len(values), low=low, high=high, outside=outside))
        charts.append(Chart(name=f"against the fit{whose}: {name}", limits="fit", points=tuple(points)))
    return charts
