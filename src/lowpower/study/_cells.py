"""Cells of the tables of a report: a number, and its interval under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lowpower.cohort import LabelScheme
from lowpower.evaluation import ComparisonSet, Evaluation, Metric, PairedTest, named_metrics

__all__ = [
    "ALPHA",
    "Cell",
    "Row",
    "columns_of",
    "families",
    "metric_cell",
    "model_rows",
    "p_sentence",
    "paired_rows",
    "tested_classes",
]

ALPHA: Final = 0.05
"""A Holm-corrected p-value below this tells two models apart."""
NONE: Final = "-"
_SUMMARY: Final = {
    "auc_macro": "AUC, macro",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "accuracy": "accuracy",
    "kappa_quadratic": "kappa, quadratic",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, its interval small under it, and a Holm-corrected p-value under that."""

    value: str
    interval: str = ""
    p: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: a model with its cells, or why it has none."""

    name: str
    cells: Sequence[Cell] = ()
    about: str = ""
    failed: str = ""
    marked: bool = False
    extra: dict[str, str] = field(default_factory=dict)


def metric_cell(metric: Metric, digits: int = 2) -> Cell:
    """A metric with its interval; a dash where undefined, nothing under it where there is no interval."""
    if metric.value is None:
        return Cell(NONE, "undefined")
    if metric.low is None or metric.high is None:
        return Cell(f"{metric.value:.{digits}f}", "no interval")
    return Cell(f"{metric.value:.{digits}f}", f"{metric.low:.{digits}f} to {metric.high:.{digits}f}")


def columns_of(scheme: LabelScheme) -> dict[str, str]:
    """Titles of the paper's table by the flat name of the metric."""
    titles = dict(_SUMMARY)
    for cutoff in scheme.cutoffs:
        titles[f"ppa[{cutoff.name}]"] = f"PPA {cutoff.name}"
        titles[f"npa[{cutoff.name}]"] = f"NPA {cutoff.name}"
    return titles | {"ece": "ECE"}


def model_rows(evaluations: Mapping[str, Evaluation], scheme: LabelScheme) -> tuple[list[str], list[Row]]:
    """The paper's table: titles, and one row a model."""
    titles = columns_of(scheme)
    rows = []
    for name, evaluation in evaluations.items():
        found = named_metrics(evaluation)
        rows.append(Row(name, [metric_cell(found[key]) for key in titles]))
    return list(titles.values()), rows


def tested_classes(scheme: LabelScheme) -> tuple[str, ...]:
    """Classes whose AUC is tested: with two classes both have the same."""
    return scheme.classes if len(scheme.classes) > 2 else scheme.classes[1:]


def paired_rows(comparison: ComparisonSet, scheme: LabelScheme) -> list[Row]:
    """One row a model with every test against the reference."""
    rows = []
    for name, found in comparison.comparisons.items():
        auc, right = (
            comparison.test_of(name, *key) for key in (("bootstrap", "auc_macro"), ("mcnemar", "accuracy"))
        )
        alone = Cell(f"{found.mcnemar.only_second} / {found.mcnemar.only_first}")
        delong = [comparison.test_of(name, "delong", label) for label in tested_classes(scheme)]
        rows.append(Row(name, [_tested(auc), _tested(right), alone, *map(_tested, delong)]))
    return rows


def families(comparison: ComparisonSet) -> dict[str, int]:
    """How many tests Holm's correction ran over, by kind."""
    return {
        kind: max((test.family for test in comparison.tests if test.test == kind), default=0)
        for kind in ("bootstrap", "mcnemar", "delong")
    }


def _tested(test: PairedTest | None) -> Cell:
    if test is None or test.difference is None:
        return Cell(NONE, "undefined")
    under = "no interval" if test.low is None or test.high is None else f"{test.low:+.3f} to {test.high:+.3f}"
    if test.p_holm is None:
        return Cell(f"{test.difference:+.3f}", under, "no test")
    return Cell(f"{test.difference:+.3f}", under, p_sentence(test.p_holm), test.p_holm < ALPHA)


def p_sentence(p: float) -> str:
    """A p-value as journals print it: "p = 0.03", "p < 0.001"."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
