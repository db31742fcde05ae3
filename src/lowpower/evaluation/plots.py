"""Figures of an `Evaluation`: each draws numbers that the evaluation file holds, and nothing else.

matplotlib is loaded when a figure is drawn. Colours stay apart for colour-blind readers (Okabe and Ito 2008).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lowpower.evaluation._evaluation import Evaluation
from lowpower.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_confusion", "plot_reliability", "plot_risk_coverage", "plot_roc"]

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_INK = "#1f2430"


def plot_confusion(evaluation: Evaluation, path: Path) -> Path:
    """Rows the label, columns the most probable class; counts, shaded by the row's share."""
    figure, axes = _figure(4.4, 4.0)
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if shares[row, column] > 0.6 else _INK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=12)
    places = range(len(evaluation.classes))
    axes.set_xticks(places, evaluation.classes)
    axes.set_yticks(places, evaluation.classes)
    axes.set(xlabel="most probable class", ylabel="label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _save(figure, path)


def plot_roc(evaluation: Evaluation, path: Path) -> Path:
    """ROC curve of each class against the rest, with its AUC and interval in the legend."""
    figure, axes = _figure(4.8, 4.4)
    axes.plot([0, 1], [0, 1], color="#b8bcc6", linewidth=1)
    for index, (name, curve) in enumerate(evaluation.roc.items()):
        if not curve.false_positive_rate:
            continue
        auc = evaluation.per_class[name]["auc"]
        label = f"{name}: {auc.value:.2f}"
        if auc.low is not None and auc.high is not None:
            label += f" ({auc.low:.2f} to {auc.high:.2f})"
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            color=_COLOURS[index % len(_COLOURS)],
            label=label,
            linewidth=2,
        )
    axes.set(
        xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
    )
    axes.legend(frameon=False, loc="lower right", fontsize=8, title="AUC", title_fontsize=8)
    return _save(figure, path)


def plot_reliability(evaluation: Evaluation, path: Path) -> Path:
    """Accuracy against mean confidence in bins of equal mass; the number of slides stands at each point."""
    figure, axes = _figure(4.8, 4.4)
    axes.plot([0, 1], [0, 1], color="#b8bcc6", linewidth=1)
    confidence = [point.confidence for point in evaluation.reliability]
    accuracy = [point.accuracy for point in evaluation.reliability]
    axes.plot(confidence, accuracy, "o-", color=_COLOURS[0], linewidth=2)
    for point in evaluation.reliability:
        axes.annotate(
            str(point.n),
            (point.confidence, point.accuracy),
            textcoords="offset points",
            xytext=(6, -10),
            fontsize=8,
        )
    ece = evaluation.metrics["ece"].value
    axes.set_title("" if ece is None else f"expected calibration error {ece:.3f}", fontsize=9)
    axes.set(xlabel="mean confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(-0.02, 1.02))
    return _save(figure, path)


def plot_risk_coverage(evaluation: Evaluation, path: Path) -> Path:
    """Share of errors among the slides kept, as the least confident are referred."""
    figure, axes = _figure(4.8, 4.4)
    coverage = [point.coverage for point in evaluation.risk_coverage]
    risk = [point.risk for point in evaluation.risk_coverage]
    axes.step(coverage, risk, where="post", color=_COLOURS[3], linewidth=2)
    aurc = evaluation.metrics["aurc"].value
    axes.set_title("" if aurc is None else f"area under the curve {aurc:.3f}", fontsize=9)
    top = max([*risk, 0.05]) * 1.15
    axes.set(xlabel="share of slides kept", ylabel="errors among them", xlim=(0, 1.02), ylim=(0, top))
    return _save(figure, path)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height), layout="constrained")
    axes: Any = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=140, format="png")
    return path
