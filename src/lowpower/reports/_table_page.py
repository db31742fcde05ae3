"""Evaluating a table of predictions made elsewhere: metrics with intervals, figures, report.html."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

import lowpower
from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    RESAMPLES,
    Evaluation,
    GivenPredictions,
    at_prevalence,
    evaluate_predictions,
    metric_table,
    prevalence_of,
    read_given,
)
from lowpower.files import make_folder, sha256_of, write_text
from lowpower.reports._page_parts import METRIC_NAMES, embedded, say
from lowpower.reports._plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc
from lowpower.scoring import page_environment

__all__ = ["TableOutcome", "evaluate_table"]


@dataclass(frozen=True, eq=False)
class TableOutcome:
    """What a table of predictions is worth.

    Attributes:
        evaluation: Metrics with intervals.
        report: report.html; metrics.csv, evaluation.json and the figures lie beside it.
    """

    evaluation: Evaluation
    report: Path


def evaluate_table(
    path: str | Path,
    scheme: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    arm: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    prevalence: str | Mapping[str, float] | None = None,
    assumed_prevalence: str | Mapping[str, float] | None = None,
) -> TableOutcome:
    """Evaluate a CSV of probabilities.

    Args:
        path: The table, as `lowpower.evaluation.read_given` takes it.
        scheme: Label scheme; None takes the one whose class names are columns.
        columns: The file's own column names by the names expected.
        arm: Of a study's predictions.
        out: Folder; by default `<name of the file>-evaluation` in the current folder.
        seed: Of the resampling.
        resamples: Bootstrap resamples of patients.
        prevalence: Shares of the classes to which the probabilities are moved before all else, by name or as
            "0=0.4,1+=0.3,..."; None leaves them as they are.
        assumed_prevalence: Shares they were made for; by default equal ones.

    Raises:
        PredictionsError: the table cannot be used; names the file, what is wrong and what to do.
        OutputError: the folder cannot be written.
    """
    given = read_given(path, scheme, columns, arm)
    table, moved = _moved(given, prevalence, assumed_prevalence)
    found = evaluate_predictions(table, given.scheme, seed=seed, resamples=resamples)
    found = found.model_copy(update={"notes": [*given.notes, *moved, *found.notes]})
    folder = make_folder(out if out is not None else f"{given.path.stem}-evaluation")
    found.save(folder / "evaluation.json")
    write_text(folder / "metrics.csv", metric_table(found).write_csv())
    figures = [
        ("Confusion matrix", plot_confusion(found, folder / "confusion.png")),
        ("ROC, each class against the rest", plot_roc(found, folder / "roc.png")),
        ("Are the probabilities true?", plot_reliability(found, folder / "reliability.png")),
        ("Error among the slides kept", plot_risk_coverage(found, folder / "risk_coverage.png")),
    ]
    html = (
        page_environment("lowpower.reports")
        .get_template("table.html")
        .render(
            name=given.path.stem,
            path=given.path,
            digest=sha256_of(given.path),
            scheme=given.scheme,
            has_patients=given.has_patients,
            evaluation=found,
            metrics=[(METRIC_NAMES.get(name, name), say(metric)) for name, metric in found.metrics.items()],
            say=say,
            figures=[(title, embedded(Image.open(picture))) for title, picture in figures],
            version=lowpower.__version__,
        )
    )
    write_text(folder / "report.html", html)
    return TableOutcome(found, folder / "report.html")


def _moved(
    given: GivenPredictions,
    prevalence: str | Mapping[str, float] | None,
    assumed: str | Mapping[str, float] | None,
) -> tuple[pl.DataFrame, list[str]]:
    """The table with probabilities for the prevalence wanted, and the sentence that says so."""
    if prevalence is None:
        if assumed is not None:
            raise PredictionsError(
                "an assumed prevalence says nothing alone; give the prevalence wanted too."
            )
        return given.table, []
    classes = given.scheme.classes
    wanted = prevalence_of(prevalence, given.scheme)
    before = None if assumed is None else prevalence_of(assumed, given.scheme)
    names = [f"p_{index}" for index in range(len(classes))]
    moved = at_prevalence(given.table.select(names).to_numpy(), wanted, before)
    told = ", ".join(f"{name} {share:.1%}" for name, share in zip(classes, wanted, strict=True))
    source = "equal shares" if before is None else ", ".join(f"{share:.1%}" for share in before)
    note = f"probabilities were moved to a prevalence of {told} (made for {source}), before all figures here"
    return given.table.with_columns(pl.Series(n, c) for n, c in zip(names, moved.T, strict=True)), [note]
