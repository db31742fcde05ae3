"""report.html of a run: self-contained, the answer in the first screen, every figure with its numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from lowpower.evaluation import Evaluation, Metric
from lowpower.evaluation.plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc
from lowpower.files import write_text
from lowpower.models import Bundle
from lowpower.scoring import Result, page_environment
from lowpower.study._curves import plot_history
from lowpower.training import TrainConfig
from lowpower.views import PreparedView

__all__ = ["METRIC_NAMES", "Example", "say", "write_report"]

METRIC_NAMES = {
    "auc_macro": "AUC, macro one-vs-rest",
    "kappa_quadratic": "quadratic-weighted kappa",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "expected_score_error": "mean error of the expected score",
    "ece": "expected calibration error",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "area under risk-coverage",
}


@dataclass(frozen=True, eq=False)
class Example:
    """One scored slide to show: its result with picture, and the label it was given."""

    result: Result
    label: str


def say(metric: Metric, digits: int = 2) -> str:
    """A metric as text, with its interval where there is one."""
    if metric.value is None:
        return metric.note or "undefined"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.{digits}f} ({metric.note or 'no interval'})"
    return f"{metric.value:.{digits}f} ({metric.low:.{digits}f} to {metric.high:.{digits}f})"


def write_report(
    folder: Path,
    config: TrainConfig,
    bundle: Bundle,
    evaluation: Evaluation,
    left_out: Sequence[PreparedView],
    *,
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
        figures=[(title, _embedded(Image.open(path))) for title, path in figures],
        examples=[(example, _embedded(example.result.overlay())) for example in examples],
        timings=timings or {},
        simulated="simulated" in bundle.spec.trained_on.lower(),
    )
    target = target or folder / "report.html"
    write_text(target, html)
    return target


def _embedded(picture: Image.Image) -> str:
    """A picture as a data URI; photographs as JPEG, figures stay PNG."""
    buffer = io.BytesIO()
    photograph = picture.width > 1500
    picture.convert("RGB").save(buffer, "JPEG" if photograph else "PNG", quality=88)
    kind = "jpeg" if photograph else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
