"""An evaluation as one flat table: what metrics.csv holds."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from lowpower.evaluation._evaluation import Evaluation, Metric

__all__ = ["metric_table", "named_metrics"]


def named_metrics(evaluation: Evaluation) -> dict[str, Metric]:
    """Every metric by a flat name: "accuracy", "auc[1+]", "ppa[3+ | rest]", "referred"."""
    return dict(_named(evaluation))


def metric_table(evaluation: Evaluation) -> pl.DataFrame:
    """Columns metric, value, low, high, n, note; value and ends are null where undefined."""
    return pl.DataFrame(
        [
            {"metric": name} | metric.model_dump(include={"value", "low", "high", "n", "note"})
            for name, metric in _named(evaluation)
        ],
        schema={
            "metric": pl.String,
            "value": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
            "n": pl.Int64,
            "note": pl.String,
        },
    )


def _named(evaluation: Evaluation) -> Iterator[tuple[str, Metric]]:
    yield from evaluation.metrics.items()
    for name, cutoff in evaluation.cutoffs.items():
        yield from ((f"{kind}[{name}]", getattr(cutoff, kind)) for kind in ("auc", "ppa", "npa"))
        if cutoff.operating_point is not None:
            yield f"operating_ppa[{name}]", cutoff.operating_point.ppa
            yield f"operating_npa[{name}]", cutoff.operating_point.npa
    for name, group in evaluation.per_class.items():
        yield from ((f"{kind}[{name}]", metric) for kind, metric in group.items())
    if evaluation.abstention is not None:
        for kind in ("coverage", "referred", "set_size", "accuracy_kept"):
            yield kind, getattr(evaluation.abstention, kind)
