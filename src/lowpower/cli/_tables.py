"""Tables a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from lowpower.evaluation import Evaluation
    from lowpower.scoring import MeasuredSlide, Result

__all__ = ["metrics_table", "print_measurements", "print_results"]


def print_results(console: Console, results: Sequence[Result]) -> None:
    """One row a slide, then what is to be said of single slides, one line each, then the counts."""
    console.print(_results_table(results))
    _print_reasons(console, results)


def print_measurements(console: Console, records: Sequence[MeasuredSlide]) -> None:
    """The same for slides measured without a network."""
    markers = " ".join(sorted({record.marker for record in records}))
    title = f"{markers} measured. Research use only: not a medical device."
    table = Table(title=title, title_justify="left")
    table.add_column("slide", overflow="fold", min_width=12)
    for name in ("state", "score", "stained", "H", "cells", "nearest"):
        table.add_column(name, no_wrap=True)
    for record in records:
        told = record.measured
        deciding = told.deciding if told is not None else None
        percent = told.percent if told is not None else None
        h_score = told.h_score if told is not None else None
        table.add_row(
            Path(record.file).name,
            record.state,
            (told.score if told is not None else None) or "",
            "" if percent is None else f"{percent:.1f}%",
            "" if h_score is None else f"{h_score:.0f}",
            str(told.tumour_cells) if told is not None else "",
            "" if deciding is None else f"{deciding.nearest} at {deciding.distance:.1%}",
        )
    console.print(table)
    _print_reasons(console, records)


def _print_reasons(console: Console, results: Sequence[Result | MeasuredSlide]) -> None:
    for result in results:
        if result.reason:
            known = result.file in result.reason
            console.print(
                result.reason if known else f"{result.file}: {result.reason}", soft_wrap=True, markup=False
            )
    states = [result.state for result in results]
    counts = ", ".join(
        f"{states.count(state)} {state}" for state in ("ok", "refused", "failed") if state in states
    )
    console.print(f"{len(results)} slide{'' if len(results) == 1 else 's'}: {counts}")


def _results_table(results: Sequence[Result]) -> Table:
    table = Table(title="Research use only: not a medical device.", title_justify="left")
    table.add_column("slide", overflow="fold", min_width=16)
    for name in ("state", "decision", "expected", "probabilities"):
        table.add_column(name, no_wrap=True)
    for result in results:
        shares = (result.probabilities or {}).items()
        table.add_row(
            Path(result.file).name,
            result.state,
            result.decision or "",
            f"{result.expected_score:.2f}" if result.expected_score is not None else "",
            " ".join(f"{name}:{share:.2f}" for name, share in shares),
        )
    return table


def metrics_table(evaluation: Evaluation) -> Table:
    """Metrics of a test fold with their intervals."""
    from lowpower.study import METRIC_NAMES, say

    share = f"{evaluation.confidence:.0%}"
    table = Table(
        "metric",
        f"value ({share} interval)",
        title=f"{evaluation.slides} test slides of {evaluation.patients} patients. {evaluation.research_use}",
        title_justify="left",
    )
    for name, metric in evaluation.metrics.items():
        table.add_row(METRIC_NAMES.get(name, name), say(metric, 3))
    for name, cutoff in evaluation.cutoffs.items():
        table.add_row(f"positive percent agreement at {name}", say(cutoff.ppa, 3))
        table.add_row(f"negative percent agreement at {name}", say(cutoff.npa, 3))
    return table
