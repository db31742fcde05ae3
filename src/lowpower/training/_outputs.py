"""Tables a run leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lowpower.files import atomic_path
from lowpower.models import Prediction
from lowpower.training.data import Example
from lowpower.views import PreparedView

__all__ = ["prediction_table", "write_examples"]


def prediction_table(examples: Sequence[Example], predictions: Sequence[Prediction]) -> pl.DataFrame:
    """Columns row, slide, patient, label, p_0 .. p_(K-1), logit_0 ..; one row a slide."""
    rows = [
        {"row": example.row, "slide": example.slide, "patient": example.patient, "label": example.label}
        | {f"p_{index}": float(p) for index, p in enumerate(prediction.probabilities)}
        | {f"logit_{index}": float(logit) for index, logit in enumerate(prediction.logits)}
        for example, prediction in zip(examples, predictions, strict=True)
    ]
    return pl.DataFrame(rows)


def write_examples(path: Path, parts: Sequence[Sequence[Example]], left_out: Sequence[PreparedView]) -> None:
    """slides.csv: which slide served for what, and why one did not."""
    rows: list[tuple[int, str, str, str | None]] = []
    for name, part in zip(("train", "validation"), parts, strict=True):
        rows += [(example.row, example.slide, name, None) for example in part]
    rows += [(record.row, record.slide, record.state, record.reason) for record in left_out]
    table = pl.DataFrame(
        sorted(rows),
        schema={"row": pl.Int64, "slide": pl.String, "part": pl.String, "reason": pl.String},
        orient="row",
    )
    with atomic_path(path) as temporary:
        table.write_csv(temporary)
