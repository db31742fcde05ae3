"""Tables a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lowpower.evaluation import Evaluation
    from lowpower.scoring import Result

__all__ = ["metrics_table", "results_table"]


def results_table(results: Sequence[Result]) -> RenderableType:
    """One row a slide, then what is to be said of single slides, then the counts."""
    table = Table(title="Research use only: not a medical device.", title_justify="left")
    table.add_column("slide", overflow="fold", ratio=1)
    for name in ("state", "decision", "expected", "probabilities", "um/px", "tissue mm2"):
        table.add_column(name, no_wrap=True)
    for result in results:
        shares = (result.probabilities or {}).items()
        table.add_row(
            Path(result.file).name,
            result.state,
            result.decision or "",
            f"{result.expected_score:.2f}" if result.expected_score is not None else "",
            " ".join(f"{name}:{share:.2f}" for name, share in shares),
            f"{result.mpp:.4g}" if result.mpp else "",
            f"{result.qc.area_mm2:.2f}" if result.qc else "",
        )
    reasons = [
        Text(_sentence(result), style="dim" if result.state == "ok" else "")
        for result in results
        if result.reason
    ]
    return Group(table, *reasons, Text(_counts(results)))


def _sentence(result: Result) -> str:
    reason = result.reason or ""
    return reason if result.file in reason else f"{result.file}: {reason}"


def _counts(results: Sequence[Result]) -> str:
    states = [result.state for result in results]
    counts = ", ".join(
        f"{states.count(state)} {state}" for state in ("ok", "refused", "failed") if state in states
    )
    return f"{len(results)} slide{'' if len(results) == 1 else 's'}: {counts}"


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
