"""Two tables of predictions on the same slides: differences with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.errors import PredictionsError
from lowpower.evaluation._bootstrap import MIN_PATIENTS, RESAMPLES, interval_of, resampled
from lowpower.evaluation._statistics import Statistics
from lowpower.evaluation.comparing._comparison_record import (
    AucDifference,
    Comparison,
    Difference,
    Discordance,
)
from lowpower.evaluation.comparing._paired import delong, holm, mcnemar
from lowpower.evaluation.comparing._permutation import permutation_tests
from lowpower.evaluation.metrics import Array, Predictions, parse_predictions

__all__ = ["compare_predictions"]


def compare_predictions(
    first: pl.DataFrame,
    second: pl.DataFrame,
    scheme: str | LabelScheme,
    *,
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two models on the same slides.

    Args:
        first: Predictions as `evaluate_predictions` takes them, tempered or not.
        second: The other model's, of the same slides in any order.
        scheme: Label scheme, or its name.
        names: What to call the models.
        seed: Of the resampling; patients are resampled, the same for both, and swapped between them.
        resamples: How many resamples, and how many swaps.
        confidence: Of the intervals.

    Raises:
        PredictionsError: if a table is not one, or slides, patients or labels differ between them.
    """
    scheme = scheme_of(scheme)
    one, other = _aligned(first, second, scheme, names)
    patients = len(np.unique(one.patients))
    metrics = _differences(one, other, scheme, seed, resamples, confidence)
    right = [table.sample.predicted == table.sample.labels for table in (one, other)]
    test = mcnemar(right[0], right[1])
    notes = []
    if patients < one.sample.size:
        notes.append("McNemar's test takes the slides of one patient as independent; the others do not")
    if patients < MIN_PATIENTS:
        notes.append(f"{patients} patients are too few for intervals (at least {MIN_PATIENTS})")
    return Comparison(
        scheme=scheme.name,
        first=names[0],
        second=names[1],
        slides=one.sample.size,
        patients=patients,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        metrics=metrics,
        mcnemar=Discordance(only_first=test.only_first, only_second=test.only_second, p=test.p),
        delong=_delong_per_class(one, other, scheme),
        notes=notes,
    )


def _aligned(
    first: pl.DataFrame, second: pl.DataFrame, scheme: LabelScheme, names: tuple[str, str]
) -> tuple[Predictions, Predictions]:
    """Both tables checked, the second in the first's order of slides."""
    one, unordered = parse_predictions(first, scheme), parse_predictions(second, scheme)
    place = {slide: row for row, slide in enumerate(unordered.slides)}
    unshared = sorted(set(one.slides) ^ set(place))
    if unshared:
        only = names[0] if unshared[0] in set(one.slides) else names[1]
        raise PredictionsError(
            f"slide {unshared[0]!r} is predicted by {only} alone ({len(unshared)} such slides); compare "
            "models on the same slides."
        )
    other = parse_predictions(second[[place[slide] for slide in one.slides]], scheme)
    for what, mine, theirs in (
        ("label", one.sample.labels, other.sample.labels),
        ("patient", one.patients, other.patients),
    ):
        if (mine != theirs).any():
            slide = one.slides[int(np.flatnonzero(mine != theirs)[0])]
            raise PredictionsError(f"slide {slide!r} has another {what} in the two tables of predictions.")
    return one, other


def _differences(
    one: Predictions, other: Predictions, scheme: LabelScheme, seed: int, resamples: int, confidence: float
) -> dict[str, Difference]:
    """Every metric of both tables; both are resampled alike."""
    statistics = (Statistics(one, scheme, None), Statistics(other, scheme, None))
    patients = len(np.unique(one.patients))
    ones = np.ones((1, one.sample.size))
    points = [{name: float(values[0]) for name, values in each(ones).items()} for each in statistics]

    def differences(weights: Array) -> Mapping[str, Array]:
        before, after = (each(weights) for each in statistics)
        return {name: after[name] - before[name] for name in before}

    draws = resampled(differences, one.patients, resamples, seed) if patients >= MIN_PATIENTS else {}
    tests: Mapping[str, float | None] = {}
    if patients >= MIN_PATIENTS:
        tests = permutation_tests(one, other, scheme, permutations=resamples, seed=seed)
    kept = [name for name in points[0] if "/" not in name or name.startswith(("auc_at", "ppa", "npa"))]
    return {
        name: _difference(
            points[0][name],
            points[1][name],
            draws.get(name, np.full(1, np.nan)),
            statistics[0].basis(name).slides,
            (patients, statistics[0].basis(name).patients),
            confidence,
            tests.get(name),
        )
        for name in kept
        if name != "ece"
    }


def _difference(
    first: float,
    second: float,
    draws: Array,
    slides: int,
    patients: tuple[int, int],
    confidence: float,
    p: float | None,
) -> Difference:
    if np.isnan(first) or np.isnan(second):
        values = [None if np.isnan(value) else value for value in (first, second)]
        return Difference(
            first=values[0],
            second=values[1],
            difference=None,
            low=None,
            high=None,
            p=None,
            p_bootstrap=None,
            n=slides,
            note="undefined for at least one model",
        )
    change = second - first
    interval = interval_of(change, draws, patients=patients[0], behind=patients[1], confidence=confidence)
    p_bootstrap = None
    if interval.low is not None:
        known = draws[~np.isnan(draws)]
        # One is added so that a p-value is never 0 (Davison and Hinkley 1997, 4.2).
        tail = min((known <= 0).sum(), (known >= 0).sum()) + 1
        p_bootstrap = min(1.0, 2 * float(tail) / (known.size + 1))
    return Difference(
        first=first,
        second=second,
        difference=change,
        low=interval.low,
        high=interval.high,
        p=p,
        p_bootstrap=p_bootstrap,
        n=slides,
        note=interval.note,
    )


def _delong_per_class(one: Predictions, other: Predictions, scheme: LabelScheme) -> dict[str, AucDifference]:
    found: dict[str, AucDifference] = {}
    for label, name in enumerate(scheme.classes):
        scores = [table.sample.probabilities[:, label] for table in (one, other)]
        try:
            test = delong(one.sample.labels == label, scores[0], scores[1], one.patients)
        except ValueError as error:
            found[name] = AucDifference(
                first=None, second=None, error=None, p=None, p_holm=None, note=f"undefined: {error}"
            )
            continue
        note = "" if test.p is not None else "no test: the standard error is 0"
        found[name] = AucDifference(
            first=test.first, second=test.second, error=test.error, p=test.p, p_holm=None, note=note
        )
    tested = [(name, entry.p) for name, entry in found.items() if entry.p is not None]
    for (name, _), adjusted in zip(tested, holm([p for _, p in tested]), strict=True):
        found[name] = found[name].model_copy(update={"p_holm": adjusted})
    return found
