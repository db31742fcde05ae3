"""Figures of an `Evaluation`: each draws numbers the evaluation holds, and writes them as a CSV beside it.

The ending of the path chooses the format: .png, .svg or .pdf. matplotlib is loaded when a figure is drawn.
Colours are Okabe and Ito's (2008), told apart by every common kind of colour vision; line styles differ too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lowpower.errors import OutputError
from lowpower.evaluation import Evaluation, Metric, wilson
from lowpower.files import atomic_path, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "DASHES",
    "GREY",
    "ORANGE",
    "ORDERED",
    "drawn",
    "plot_confusion",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_roc",
    "short",
    "write_numbers",
]

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREY: Final = "#767676"
ORDERED: Final = {
    2: (BLUE, ORANGE),
    3: (BLUE, "#E69F00", ORANGE),
    4: (BLUE, "#56B4E9", "#E69F00", ORANGE),
}
DASHES: Final = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_STYLE: Final[dict[Any, Any]] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "lowpower",
}
_FORMATS: Final = (".png", ".svg", ".pdf")


def plot_confusion(evaluation: Evaluation, path: str | Path) -> Path:
    """Confusion matrix: counts, shaded by the share of each label's slides.

    Numbers beside it: `label`, `predicted`, `count`, `share`.

    Returns:
        The picture's path.

    Raises:
        OutputError: if it cannot be written, or the ending is no known format.
    """
    classes, counts = evaluation.classes, evaluation.confusion
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    with drawn(path, (4.2, 3.8)) as (figure, axes):
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, (row_counts, row_shares) in enumerate(zip(counts, shares, strict=True)):
            for column, (count, share) in enumerate(zip(row_counts, row_shares, strict=True)):
                text = f"{count}\n{share:.0%}" if sum(row_counts) else "0"
                colour = "white" if share > 0.55 else "black"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axes.set_xticks(range(len(classes)), classes)
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="most probable class", ylabel="label")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label="share of the label's slides", shrink=0.85)
    rows = [
        (classes[label], classes[predicted], counts[label][predicted], shares[label][predicted])
        for label in range(len(classes))
        for predicted in range(len(classes))
    ]
    return write_numbers(path, ["label", "predicted", "count", "share"], rows)


def plot_roc(evaluation: Evaluation, path: str | Path) -> Path:
    """ROC curve of each class against the rest, with its AUC and interval.

    Numbers beside it: `class`, `false_positive_rate`, `true_positive_rate`, `threshold`.

    Returns:
        The picture's path.

    Raises:
        OutputError: if it cannot be written, or the ending is no known format.
    """
    rows: list[Sequence[Any]] = []
    with drawn(path, (4.6, 4.4)) as (_, axes):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        colours = ORDERED.get(len(evaluation.classes), ORDERED[4])
        for number, (name, curve) in enumerate(evaluation.roc.items()):
            axes.plot(
                curve.false_positive_rate,
                curve.true_positive_rate,
                color=colours[number % len(colours)],
                linestyle=DASHES[number % len(DASHES)],
                linewidth=1.8,
                label=f"{name}: {short(evaluation.per_class[name]['auc'])}",
            )
            points = (curve.false_positive_rate, curve.true_positive_rate, curve.threshold)
            rows += [(name, *point) for point in zip(*points, strict=True)]
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
        axes.legend(loc="lower right", fontsize=8.5, title="class: AUC", title_fontsize=8.5, handlelength=2.8)
    return write_numbers(path, ["class", "false_positive_rate", "true_positive_rate", "threshold"], rows)


def plot_reliability(evaluation: Evaluation, path: str | Path) -> Path:
    """Reliability: for bins of equal numbers of slides, stated confidence against the share right.

    Bars are Wilson 95 % intervals of each bin. Numbers beside it: `low`, `high`, `confidence`, `accuracy`,
    `n`, `accuracy_low`, `accuracy_high`.

    Returns:
        The picture's path.

    Raises:
        OutputError: if it cannot be written, or the ending is no known format.
    """
    bins = evaluation.reliability
    ends = [wilson(bin_.accuracy * bin_.n, bin_.n) for bin_ in bins]
    x, y = [bin_.confidence for bin_ in bins], [bin_.accuracy for bin_ in bins]
    with drawn(path, (4.6, 4.4)) as (_, axes):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        below = [max(0.0, value - low) for value, (low, _) in zip(y, ends, strict=True)]
        above = [max(0.0, high - value) for value, (_, high) in zip(y, ends, strict=True)]
        axes.errorbar(x, y, yerr=[below, above], color=BLUE, ecolor="#9CC3DB", marker="o", markersize=5)
        axes.set(xlabel="stated confidence", ylabel="share right", xlim=(0, 1.02), ylim=(-0.02, 1.02))
        axes.set_aspect("equal")
        about = f"calibration error {short(evaluation.metrics['ece'])}"
        if evaluation.temperature != 1:
            about += f"\ntemperature {evaluation.temperature:.2f}"
        axes.text(0.03, 0.97, about, transform=axes.transAxes, va="top", fontsize=8.5)
    rows = [(b.low, b.high, b.confidence, b.accuracy, b.n, *end) for b, end in zip(bins, ends, strict=True)]
    columns = ["low", "high", "confidence", "accuracy", "n", "accuracy_low", "accuracy_high"]
    return write_numbers(path, columns, rows)


def plot_risk_coverage(evaluation: Evaluation, path: str | Path) -> Path:
    """Error among the slides kept, as the less confident are referred; the conformal rule as a point.

    Numbers beside it: `coverage`, `risk`, `confidence`.

    Returns:
        The picture's path.

    Raises:
        OutputError: if it cannot be written, or the ending is no known format.
    """
    curve = evaluation.risk_coverage
    with drawn(path, (4.8, 3.8)) as (_, axes):
        axes.step(
            [0.0, *(point.coverage for point in curve)],
            [curve[0].risk, *(point.risk for point in curve)],
            where="pre",
            color=BLUE,
            linewidth=1.8,
            label=f"area {short(evaluation.metrics['aurc'])}",
        )
        kept = evaluation.abstention
        if kept is not None and kept.referred.value is not None and kept.accuracy_kept.value is not None:
            axes.plot(
                1 - kept.referred.value,
                1 - kept.accuracy_kept.value,
                color=ORANGE,
                marker="D",
                linestyle="none",
                clip_on=False,
                label=f"conformal sets, {kept.promised:.0%} promised",
            )
        top = max(0.05, 1.15 * max(point.risk for point in curve))
        axes.set(xlabel="share of slides kept", ylabel="error among them", xlim=(0, 1.01), ylim=(0, top))
        axes.legend(loc="best", fontsize=8.5)
    rows = [(point.coverage, point.risk, point.confidence) for point in curve]
    return write_numbers(path, ["coverage", "risk", "confidence"], rows)


@contextmanager
def drawn(
    path: str | Path, size: tuple[float, float], *, grid: tuple[int, int] = (1, 1), also: Sequence[str] = ()
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the common style, without global state (no pyplot), saved on leaving.

    Args:
        path: The picture.
        size: Width and height, inches.
        grid: Rows and columns of axes; more than one gives an array of axes.
        also: Further endings to save under.

    Raises:
        OutputError: if it cannot be written, or an ending is no known format.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _FORMATS:
        raise OutputError(f"{path}: a figure needs one of the endings {', '.join(_FORMATS)}.")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.subplots(*grid)
        for ending in (kind, *also):
            undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(ending)
            with atomic_path(path.with_suffix(ending)) as temporary:
                figure.savefig(temporary, dpi=150, format=ending[1:], metadata=undated)


def write_numbers(path: str | Path, columns: list[str], rows: Sequence[Sequence[Any]]) -> Path:
    """The numbers behind a figure, as a CSV beside it; gives back the figure's path."""
    table = pl.DataFrame(list(rows), schema=columns, orient="row", infer_schema_length=None)
    write_text(Path(path).with_suffix(".csv"), table.write_csv())
    return Path(path)


def short(metric: Metric) -> str:
    """A metric in two decimals, with its interval where there is one."""
    if metric.value is None:
        return "undefined"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.2f}"
    return f"{metric.value:.2f} ({metric.low:.2f} to {metric.high:.2f})"
