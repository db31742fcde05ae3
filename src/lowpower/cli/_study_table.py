"""A study's answer as a table a person reads in a terminal."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Table

from lowpower.evaluation import QUICK_RESAMPLES, evaluate_predictions
from lowpower.experiments import StudyResults
from lowpower.reports import say

__all__ = ["print_study"]

_METRICS = ("auc_macro", "f1_weighted", "accuracy", "kappa_quadratic")


def print_study(console: Console, results: StudyResults) -> None:
    """One row an arm; then what failed, one line each, and what a reader must know."""
    table = Table(title="Research use only: not a medical device.", title_justify="left")
    table.add_column("arm", no_wrap=True)
    for name in ("AUC, macro", "F1, weighted", "accuracy", "kappa", "s/slide", "state"):
        table.add_column(name)
    for arm in results.arms:
        predictions = results.of_arm(arm.name)
        if predictions.is_empty():
            table.add_row(arm.name, *[""] * 5, arm.state)
            continue
        metrics = evaluate_predictions(
            predictions, results.config.label_scheme, resamples=QUICK_RESAMPLES
        ).metrics
        used = results.costs.filter((pl.col("arm") == arm.name) & (pl.col("stage") != "train"))
        seconds = used["wall_s"].sum() / predictions.height
        table.add_row(arm.name, *(say(metrics[name]) for name in _METRICS), f"{seconds:.2f}", arm.state)
    console.print(table)
    for name, fold, state, reason in results.units.iter_rows():
        if state == "failed":
            console.print(f"{name}, fold {fold}: failed: {reason}", soft_wrap=True, markup=False)
    for note in results.notes:
        console.print(note, soft_wrap=True, markup=False)
