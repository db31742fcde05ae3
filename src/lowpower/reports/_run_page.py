"""report.html of a run: self-contained, the answer in the first screen, every figure with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from lowpower.experiments import TestOutcome
from lowpower.experiments.collect import arm_label
from lowpower.files import atomic_path, write_text
from lowpower.reports._answer_words import Elsewhere, answer_sentences, issue_rule, said_once
from lowpower.reports._page_parts import METRIC_NAMES, embedded, say
from lowpower.reports._plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc
from lowpower.scoring import Result, page_environment

__all__ = ["Example", "write_run_report"]


@dataclass(frozen=True, eq=False)
class Example:
    """One scored slide to show: its result with picture, and the label it was given."""

    result: Result
    label: str


def write_run_report(
    outcome: TestOutcome,
    *,
    headline: Sequence[str] = (),
    elsewhere: Sequence[Elsewhere] = (),
    examples: Sequence[Example] = (),
    timings: dict[str, float] | None = None,
    target: Path | None = None,
) -> Path:
    """Write the report of a run's test.

    Args:
        outcome: What the test said; figures go to `<run folder>/test/`.
        headline: What it comes to, in sentences; by default those of the test.
        elsewhere: Slides of another laboratory that it scored.
        examples: Scored slides to show.
        timings: Seconds per stage, if they are to be shown.
        target: The HTML file; by default `<run folder>/report.html`.

    Returns:
        The HTML file.
    """
    folder, bundle, evaluation = outcome.folder, outcome.bundle, outcome.evaluation
    test = folder / "test"
    figures = [
        ("Confusion matrix", plot_confusion(evaluation, test / "confusion.png")),
        ("ROC, each class against the rest", plot_roc(evaluation, test / "roc.png")),
        ("Are the probabilities true?", plot_reliability(evaluation, test / "reliability.png")),
        ("Error among the slides kept", plot_risk_coverage(evaluation, test / "risk_coverage.png")),
    ]
    if outcome.history is not None:
        figures.append(("Training", _plot_history(pl.read_csv(outcome.history), test / "training.png")))
    shown_once, shown_left = said_once([example.result for example in examples])
    away_once, away_left = said_once([slide.result for slide in elsewhere])
    template = page_environment("lowpower.reports").get_template("run.html")
    html = template.render(
        config=outcome.config,
        bundle=bundle,
        label=arm_label(outcome.config.arms[0]),
        evaluation=evaluation,
        metrics=[(METRIC_NAMES.get(name, name), say(metric)) for name, metric in evaluation.metrics.items()],
        say=say,
        left_out=outcome.left_out,
        answers=outcome.answers,
        rule=issue_rule(bundle.decision),
        headline=headline or answer_sentences(evaluation, outcome.answers, bundle.decision),
        elsewhere=list(zip(elsewhere, away_left, strict=True)),
        said_of_elsewhere=away_once,
        said_of_examples=shown_once,
        figures=[(title, embedded(Image.open(path))) for title, path in figures],
        examples=[
            (example, left, _pictures(example.result))
            for example, left in zip(examples, shown_left, strict=True)
        ],
        timings=timings or {},
        simulated="simulated" in bundle.spec.trained_on.lower(),
    )
    target = target or folder / "report.html"
    write_text(target, html)
    return target


def _pictures(result: Result) -> list[tuple[str, str]]:
    """The cells, where they were measured, and the network's map: (picture, caption)."""
    shown = [
        (
            result.overlay(),
            "Left the slide, right the local score that the network sees, in the tissue found (outlined).",
        )
    ]
    if result.cells is not None:
        shown.insert(0, (result.cells_overlay(), "The measured cells, coloured by class."))
    return [(embedded(picture), caption) for picture, caption in shown]


def _plot_history(history: pl.DataFrame, path: Path) -> Path:
    """Draw training and validation loss by epoch.

    Args:
        history: Columns epoch, train_loss, val_loss.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for column, colour, label in (
        ("train_loss", "#8a4f24", "training"),
        ("val_loss", "#35508f", "validation"),
    ):
        if column in history.columns:
            known = history.drop_nulls(column)
            mark = "o" if known.height == 1 else None  # one epoch draws no line
            axes.plot(known["epoch"], known[column], color=colour, label=label, marker=mark)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=140, format="png")
    return path
