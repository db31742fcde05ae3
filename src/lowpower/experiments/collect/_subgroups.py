"""Where arms differ: rows by site and scanner, and the slides on which they disagree most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from lowpower.cohort import LabelScheme
from lowpower.evaluation import QUICK_RESAMPLES, evaluate_predictions
from lowpower.experiments.collect._results import StudyResults

__all__ = ["GROUP_METRICS", "GROUP_PATIENTS", "Disagreement", "disagreements", "group_table"]

GROUP_PATIENTS: Final = 20
"""Below this many patients a site or scanner gets no intervals."""
GROUP_METRICS: Final = ("auc_macro", "kappa_quadratic", "accuracy")


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


def group_table(results: StudyResults, *, resamples: int = QUICK_RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Accuracy, macro AUC and quadratic kappa of every arm by site and by scanner.

    Returns:
        Columns by, group, arm, slides, patients, right; of each metric its value, `_low` and `_high` (null
        for small groups); note (why a value is null); empty where the manifest names neither.
    """
    rows = []
    scheme = results.config.label_scheme
    for by in ("site", "scanner"):
        known = results.predictions.drop_nulls(by).sort(by, "arm", "row")
        if known.is_empty() or known[by].n_unique() < 2:
            continue
        for (group, arm), table in known.group_by(by, "arm", maintain_order=True):
            rows.append({"by": by, "group": group, "arm": arm} | _numbers(table, scheme, resamples, seed))
    schema: dict[str, Any] = dict.fromkeys(("by", "group", "arm"), pl.String)
    schema |= dict.fromkeys(("slides", "patients", "right"), pl.Int64)
    for name in GROUP_METRICS:
        schema |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"note": pl.String}, orient="row")


def _numbers(
    table: pl.DataFrame, scheme: LabelScheme, resamples: int, seed: int
) -> dict[str, float | int | str | None]:
    patients = table["patient"].n_unique()
    enough = patients >= GROUP_PATIENTS
    found = evaluate_predictions(table, scheme, resamples=resamples if enough else 1, seed=seed)
    right = _predicted(table) == table["label"].to_numpy()
    row: dict[str, float | int | str | None] = {
        "slides": table.height,
        "patients": patients,
        "right": int(right.sum()),
    }
    for name in GROUP_METRICS:
        metric = found.metrics[name]
        row |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
        if not enough:
            row |= {f"{name}_low": None, f"{name}_high": None}
    held = set(table["label"].to_list())
    absent = [name for index, name in enumerate(scheme.classes) if index not in held]
    notes = [f"no slide of class {' or '.join(absent)}"] if absent else []
    if not enough:
        notes.append(f"fewer than {GROUP_PATIENTS} patients")
    return row | {"note": "; ".join(notes) or None}


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
