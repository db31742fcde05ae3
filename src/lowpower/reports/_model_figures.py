"""Figures of several models side by side; each as PNG and SVG, with its numbers in a CSV beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lowpower.evaluation import Evaluation, Metric, wilson
from lowpower.reports._plots import BLUE, GREY, ORANGE, drawn, write_numbers

__all__ = ["plot_confusions", "plot_forest", "plot_reliabilities", "plot_risks"]

_ALSO = (".svg",)
_ACROSS = 5


def plot_forest(metrics: Mapping[str, Metric], path: Path, label: str, marked: str = "") -> Path:
    """One metric of every model with its interval, best at the top; `marked` in another colour."""
    known = {name: metric for name, metric in metrics.items() if metric.value is not None}
    order = sorted(known, key=lambda name: known[name].value or 0.0)
    with drawn(path, (6.4, 0.7 + 0.32 * max(1, len(order))), also=_ALSO) as (_, axes):
        for place, name in enumerate(order):
            metric, colour = known[name], ORANGE if name == marked else BLUE
            if metric.low is not None and metric.high is not None:
                axes.plot([metric.low, metric.high], [place, place], color=colour, linewidth=1.4)
            axes.plot(metric.value, place, "o", color=colour, markersize=5)
        axes.set_yticks(range(len(order)), order)
        axes.set(xlabel=label, ylim=(-0.6, len(order) - 0.4))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#E4E7EC", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
    rows = [(name, known[name].value, known[name].low, known[name].high) for name in reversed(order)]
    return write_numbers(path, ["model", "value", "low", "high"], rows)


def plot_confusions(evaluations: Mapping[str, Evaluation], path: Path) -> Path:
    """Confusion matrix of every model: counts, shaded by the share of each label's slides."""
    rows: list[tuple[Any, ...]] = []
    with _small_multiples(path, len(evaluations), 2.3) as panels:
        for axes, (name, evaluation) in zip(panels, evaluations.items(), strict=True):
            classes, counts = evaluation.classes, np.array(evaluation.confusion)
            shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for (label, predicted), count in np.ndenumerate(counts):
                share = shares[label, predicted]
                colour = "white" if share > 0.55 else "black"
                axes.text(predicted, label, count, ha="center", va="center", color=colour, fontsize=8)
                rows.append((name, classes[label], classes[predicted], int(count), float(share)))
            axes.set_xticks(range(len(classes)), classes, fontsize=7.5)
            axes.set_yticks(range(len(classes)), classes, fontsize=7.5)
            axes.set_title(name, fontsize=8.5)
            axes.set_xlabel("most probable class", fontsize=7.5)
            axes.set_ylabel("label", fontsize=7.5)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return write_numbers(path, ["model", "label", "predicted", "count", "share"], rows)


def plot_reliabilities(evaluations: Mapping[str, Evaluation], path: Path) -> Path:
    """Stated confidence against the share right, for bins of equal numbers of slides; Wilson intervals."""
    rows: list[tuple[Any, ...]] = []
    with _small_multiples(path, len(evaluations), 2.2) as panels:
        for axes, (name, evaluation) in zip(panels, evaluations.items(), strict=True):
            bins = evaluation.reliability
            ends = [wilson(bin_.accuracy * bin_.n, bin_.n) for bin_ in bins]
            x, y = [bin_.confidence for bin_ in bins], [bin_.accuracy for bin_ in bins]
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
            below = [max(0.0, value - low) for value, (low, _) in zip(y, ends, strict=True)]
            above = [max(0.0, high - value) for value, (_, high) in zip(y, ends, strict=True)]
            axes.errorbar(x, y, yerr=[below, above], color=BLUE, ecolor="#9CC3DB", marker="o", markersize=3)
            axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            axes.set_title(name, fontsize=8.5)
            axes.set_xlabel("stated confidence", fontsize=7.5)
            axes.set_ylabel("share right", fontsize=7.5)
            axes.tick_params(labelsize=7.5)
            axes.set_aspect("equal")
            rows += [(name, b.confidence, b.accuracy, b.n, *end) for b, end in zip(bins, ends, strict=True)]
    columns = ["model", "confidence", "accuracy", "n", "accuracy_low", "accuracy_high"]
    return write_numbers(path, columns, rows)


def plot_risks(evaluations: Mapping[str, Evaluation], path: Path) -> Path:
    """Error among the slides kept, as the less confident are referred."""
    rows: list[tuple[Any, ...]] = []
    top = max(point.risk for evaluation in evaluations.values() for point in evaluation.risk_coverage)
    with _small_multiples(path, len(evaluations), 2.0) as panels:
        for axes, (name, evaluation) in zip(panels, evaluations.items(), strict=True):
            curve = evaluation.risk_coverage
            axes.step(
                [0.0, *(point.coverage for point in curve)],
                [curve[0].risk, *(point.risk for point in curve)],
                where="pre",
                color=BLUE,
                linewidth=1.5,
            )
            axes.set(xlim=(0, 1.01), ylim=(0, max(0.05, 1.1 * top)), xticks=(0, 0.5, 1))
            axes.set_title(name, fontsize=8.5)
            axes.set_xlabel("share of slides kept", fontsize=7.5)
            axes.set_ylabel("error among them", fontsize=7.5)
            axes.tick_params(labelsize=7.5)
            rows += [(name, point.coverage, point.risk, point.confidence) for point in curve]
    return write_numbers(path, ["model", "coverage", "risk", "confidence"], rows)


@contextmanager
def _small_multiples(path: Path, number: int, height: float) -> Iterator[list[Any]]:
    """One small panel a model, five across."""
    across = min(_ACROSS, max(2, number))
    down = math.ceil(number / across)
    with drawn(path, (2.15 * across, height * down), grid=(down, across), also=_ALSO) as (_, axes):
        panels = list(np.ravel(axes))
        for spare in panels[number:]:
            spare.set_axis_off()
        yield panels[:number]
