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
    "metric_cell",
    "model_rows",
    "p_sentence",
    "paired_rows",
    "paired_titles",
]

ALPHA: Final = 0.05
"""A Holm-corrected p-value below this tells two models apart."""
NONE: Final = "-"
_TESTS: Final = {
    "permutation": "permutation",
    "bootstrap": "bootstrap",
    "mcnemar": "McNemar",
    "delong": "DeLong",
}
_SUMMARY: Final = {
    "auc_macro": "AUC, macro",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "accuracy": "accuracy",
    "kappa_quadratic": "kappa, quadratic",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, its interval small under it, and under that a Holm-corrected p-value or how seeds spread."""

    value: str
    interval: str = ""
    p: str = ""
    told: bool = False
    seeds: str = ""


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


def paired_titles(comparison: ComparisonSet) -> list[str]:
    """Titles of the tests behind `paired_rows`, in their order: what is tested, by which test."""
    told = dict.fromkeys((test.test, test.measure) for test in comparison.tests)
    return [f"{_measure_title(kind, measure)}, {_TESTS[kind]}" for kind, measure in told]


def paired_rows(comparison: ComparisonSet) -> list[Row]:
    """One row a model: slides right by one alone, and every test against the reference."""
    told = dict.fromkeys((test.test, test.measure) for test in comparison.tests)
    rows = []
    for name, found in comparison.comparisons.items():
        alone = Cell(f"{found.mcnemar.only_second} / {found.mcnemar.only_first}")
        tests = [_tested(comparison.test_of(name, *key)) for key in told]
        rows.append(Row(name, [alone, *tests]))
    return rows


def _measure_title(kind: str, measure: str) -> str:
    if kind == "delong":
        return f"AUC {measure} against the rest"
    return _SUMMARY.get(measure) or f"AUC {measure.partition('[')[2].rstrip(']')}"


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
