"""The course of a training, as a figure."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lowpower.files import atomic_path

__all__ = ["plot_history"]


def plot_history(history: pl.DataFrame, path: Path) -> Path:
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
