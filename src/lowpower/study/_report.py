"""report.html of a run: self-contained, the answer in the first screen, every figure with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from lowpower.evaluation import AnswerTest, Evaluation
from lowpower.evaluation.plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc
from lowpower.files import write_text
from lowpower.models import Bundle
from lowpower.scoring import Result, page_environment
from lowpower.study._answer_words import Elsewhere, answer_sentences
from lowpower.study._curves import plot_history
from lowpower.study._page import METRIC_NAMES, embedded, say
from lowpower.training import TrainConfig
from lowpower.views import PreparedView

__all__ = ["Example", "write_report"]


@dataclass(frozen=True, eq=False)
class Example:
    """One scored slide to show: its result with picture, and the label it was given."""

    result: Result
    label: str


def write_report(
    folder: Path,
    config: TrainConfig,
    bundle: Bundle,
    evaluation: Evaluation,
    left_out: Sequence[PreparedView],
    *,
    answers: AnswerTest | None = None,
    headline: Sequence[str] = (),
    elsewhere: Sequence[Elsewhere] = (),
    examples: Sequence[Example] = (),
    timings: dict[str, float] | None = None,
    target: Path | None = None,
) -> Path:
    """Write the report of a run's test.

    Args:
        folder: The run folder; figures go to `<folder>/test/`.
        config: What was trained.
        bundle: The model.
        evaluation: Its test metrics.
        left_out: Test slides without a view.
        answers: What the answers are worth.
        headline: What it comes to, in sentences; by default those of the test.
        elsewhere: Slides of another laboratory that it scored.
        examples: Scored slides to show.
        timings: Seconds per stage, if they are to be shown.
        target: The HTML file; by default `<folder>/report.html`.

    Returns:
        The HTML file.
    """
    test = folder / "test"
    figures = [
        ("Confusion matrix", plot_confusion(evaluation, test / "confusion.png")),
        ("ROC, each class against the rest", plot_roc(evaluation, test / "roc.png")),
        ("Are the probabilities true?", plot_reliability(evaluation, test / "reliability.png")),
        ("Error among the slides kept", plot_risk_coverage(evaluation, test / "risk_coverage.png")),
    ]
    history = folder / "history.csv"
    if history.is_file():
        figures.append(("Training", plot_history(pl.read_csv(history), test / "training.png")))
    template = page_environment("lowpower.study").get_template("run.html")
    html = template.render(
        config=config,
        bundle=bundle,
        evaluation=evaluation,
        metrics=[(METRIC_NAMES.get(name, name), say(metric)) for name, metric in evaluation.metrics.items()],
        say=say,
        left_out=left_out,
        answers=answers,
        headline=headline or answer_sentences(evaluation, answers),
        elsewhere=elsewhere,
        figures=[(title, embedded(Image.open(path))) for title, path in figures],
        examples=[(example, _pictures(example.result)) for example in examples],
        timings=timings or {},
        simulated="simulated" in bundle.spec.trained_on.lower(),
    )
    target = target or folder / "report.html"
    write_text(target, html)
    return target


def _pictures(result: Result) -> list[tuple[str, str]]:
    """The cells, where they were measured, and the network's map: (picture, caption)."""
    shown = [(result.overlay(), "Left the slide, right the local score that the network sees.")]
    if result.cells is not None:
        shown.insert(0, (result.cells_overlay(), "The measured cells, coloured by class."))
    return [(embedded(picture), caption) for picture, caption in shown]
