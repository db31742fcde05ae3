"""Where arms differ: rows by site and scanner, and the slides on which they disagree most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from lowpower.cohort import LabelScheme
from lowpower.evaluation import interval_of, resampled
from lowpower.study._results import StudyResults

__all__ = ["GROUP_PATIENTS", "Disagreement", "disagreements", "group_table"]

GROUP_PATIENTS: Final = 20
"""Below this many patients a site or scanner gets counts and no interval."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A slide and every arm's answer.

    Attributes:
        row: Of the cohort's table.
        slide: Name.
        truth: Class name.
        place: Site and scanner, where known.
        answers: (arm, class, probability of it, right) in the arms' order.
        spread: Standard deviation of the arms' expected scores.
    """

    row: int
    slide: str
    truth: str
    place: str
    answers: tuple[tuple[str, str, float, bool], ...]
    spread: float


def group_table(results: StudyResults, *, resamples: int = 1000, seed: int = 0) -> pl.DataFrame:
    """Accuracy of every arm by site and by scanner.

    Returns:
        Columns by, group, arm, slides, patients, right, accuracy, low, high (null for small groups); empty
        where the manifest names neither.
    """
    rows = []
    for by in ("site", "scanner"):
        known = results.predictions.drop_nulls(by).sort(by, "arm", "row")
        if known.is_empty() or known[by].n_unique() < 2:
            continue
        for (group, arm), table in known.group_by(by, "arm", maintain_order=True):
            rows.append({"by": by, "group": group, "arm": arm} | _accuracy(table, resamples, seed))
    schema = {"by": pl.String, "group": pl.String, "arm": pl.String, "slides": pl.Int64, "patients": pl.Int64}
    schema |= {"right": pl.Int64, "accuracy": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def _accuracy(table: pl.DataFrame, resamples: int, seed: int) -> dict[str, float | int | None]:
    right = _predicted(table) == table["label"].to_numpy()
    patients = table["patient"].to_numpy()
    number, low, high = len(np.unique(patients)), None, None
    value = float(right.mean())
    if number >= GROUP_PATIENTS:
        draws = resampled(
            lambda weights: {"accuracy": weights @ right / weights.sum(1)}, patients, resamples, seed
        )
        interval = interval_of(
            value, draws["accuracy"], patients=number, successes=(float(right.sum()), float(right.size))
        )
        low, high = interval.low, interval.high
    return {
        "slides": table.height,
        "patients": number,
        "right": int(right.sum()),
        "accuracy": value,
        "low": low,
        "high": high,
    }


def _predicted(table: pl.DataFrame) -> np.ndarray:
    return np.asarray(table.select(pl.col("^p_[0-9]+$")).to_numpy().argmax(1))


def disagreements(
    results: StudyResults, arms: Sequence[str], scheme: LabelScheme, *, at_most: int = 6
) -> list[Disagreement]:
    """Slides whose most probable class differs between arms, the widest spread of expected scores first."""
    found = []
    kept = results.predictions.filter(pl.col("arm").is_in(list(arms)))
    order = {arm: place for place, arm in enumerate(arms)}
    for (row,), table in kept.sort("row").group_by("row", maintain_order=True):
        table = table.sort(pl.col("arm").replace_strict(order, return_dtype=pl.Int64))
        predicted = _predicted(table)
        if len(set(predicted.tolist())) < 2:
            continue
        shares = table.select(pl.col("^p_[0-9]+$")).to_numpy()
        expected = shares @ np.arange(len(scheme.classes))
        label = int(table["label"][0])
        place = ", ".join(value for value in (table["site"][0], table["scanner"][0]) if value)
        answers = tuple(
            (arm, scheme.classes[one], float(share.max()), one == label)
            for arm, one, share in zip(table["arm"].to_list(), predicted.tolist(), shares, strict=True)
        )
        found.append(
            Disagreement(
                row=int(str(row)),
                slide=table["slide"][0],
                truth=scheme.classes[label],
                place=place,
                answers=answers,
                spread=float(expected.std()),
            )
        )
    return sorted(found, key=lambda one: (-one.spread, one.row))[:at_most]
