"""How readers agree with the model and with one another: numbers for the charts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from pydantic import Field
from sqlalchemy import select

from lowpower.evaluation import confusion_matrix, kappa_quadratic, wilson
from lowpower.scoring import Record
from lowpower.serve._reviews import MEASURED, Review
from lowpower.serve.department.records import Database, Slide, schema

__all__ = ["SCORES", "AgreementTold", "agreement_of"]

SCORES: Final = ("0", "1+", "2+", "3+")
_NEGATIVE: Final = {"null": "0", "ultralow": "0"}


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
    by_laboratory: tuple[Pair, ...] = Field(description="By what was said of who stained the slides.")
    readers: tuple[Pair, ...]
    blind_only: bool


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
        slides = session.execute(
            select(Slide.id, Slide.scanner, Slide.laboratory).where(
                Slide.id.in_(select(schema.Review.slide_id))
            )
        ).all()
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
        by_scanner=_by({one.id: one.scanner or "scanner not known" for one in slides}, beside),
        by_laboratory=_by({one.id: one.laboratory or "laboratory not said" for one in slides}, beside),
        readers=tuple(between),
        blind_only=blind_only,
    )


def _by(group: Mapping[str, str], reviews: Sequence[Review]) -> tuple[Pair, ...]:
    """Readers and model, a pair for each group of slides."""
    names = sorted({group[review.slide] for review in reviews})
    return tuple(
        _with_model(name, [review for review in reviews if group[review.slide] == name]) for name in names
    )


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
