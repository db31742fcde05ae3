"""Training a slide network on training rows, stopped by validation rows. Test rows never come here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lowpower.cohort import Cohort
from lowpower.engine import of_stage
from lowpower.errors import CohortError, ConfigError
from lowpower.files import atomic_path, make_folder, write_json
from lowpower.models import SlideNetwork, predict
from lowpower.training._outputs import prediction_table, write_examples
from lowpower.training._teacher import cells_of
from lowpower.training._train_config import TrainConfig
from lowpower.training._train_views import train_views
from lowpower.training.data import Example
from lowpower.training.loop import LearningSummary
from lowpower.views import PreparedView, load_view, prepare_views

__all__ = ["TrainingRun", "train"]


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A finished training.

    Attributes:
        folder: Holds config.json, run.json, slides.csv, checkpoints/, logs/, tensorboard/, history.csv,
            predictions_validation.csv and training.json.
        network: The network at its best validation loss, evaluation mode.
        validation: Columns row, slide, patient, label, p_0 .., logit_0 ..; one row a validation slide.
        left_out: Slides that gave no view, with the reason.
        summary: How the training went.
    """

    folder: Path
    network: SlideNetwork
    validation: pl.DataFrame
    left_out: tuple[PreparedView, ...]
    summary: LearningSummary


def train(
    config: TrainConfig,
    cohort: Cohort,
    *,
    train_rows: Sequence[int],
    validation_rows: Sequence[int],
    folder: str | Path | None = None,
    workers: int = 1,
    prepared: Sequence[PreparedView] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> TrainingRun:
    """Train, or go on where a killed run of the same configuration in `folder` stopped.

    Args:
        config: The configuration.
        cohort: The cohort the rows belong to.
        train_rows: Rows of the cohort's table to learn from.
        validation_rows: Rows for early stopping (and, later, temperature and thresholds).
        folder: Run folder; by default the configuration's.
        workers: Processes that make views.
        prepared: Views of every row, made already by the configuration's recipe; None makes them.
        progress: Called with (stage, done, total); stages "views", "measuring" and "training".

    Returns:
        The run; a slide without a view is left out and listed.

    Raises:
        ConfigError: the configuration cannot be run, or `folder` holds another configuration's run.
        CohortError: too few slides gave a view.
        WeightsError: the pretrained weights cannot be had.
        OutputError: the folder cannot be written.
    """
    folder = make_folder(folder if folder is not None else config.run_folder)
    _same_run(config, cohort, train_rows, validation_rows, folder)
    examples, left_out = _examples(
        config, cohort, [train_rows, validation_rows], workers, prepared, progress, folder
    )
    write_examples(folder / "slides.csv", examples, left_out)
    network, outcome = train_views(
        config.model,
        len(config.label_scheme.classes),
        config.pretrained,
        examples[0],
        examples[1],
        config.fitting,
        config.augmentation,
        seed=config.seed,
        folder=folder,
        trainer=config.trainer,
        progress=of_stage(progress, "training"),
    )
    views = (load_view(example.picture)[0] for example in examples[1])
    table = prediction_table(examples[1], predict(network, views))
    with atomic_path(folder / "predictions_validation.csv") as temporary:
        table.write_csv(temporary)
    return TrainingRun(folder, network, table, tuple(left_out), outcome.summary)


def _same_run(
    config: TrainConfig,
    cohort: Cohort,
    train_rows: Sequence[int],
    validation_rows: Sequence[int],
    folder: Path,
) -> None:
    """Refuse to go on with a run made from anything else; else note what this one is made from."""
    record = folder / "run.json"
    content = {
        "schema_version": 1,
        "config": config.model_dump(mode="json", exclude={"cohort", "out", "views"}),
        "cohort_fingerprint": cohort.fingerprint,
        "train_rows": [int(row) for row in train_rows],
        "validation_rows": [int(row) for row in validation_rows],
    }
    if record.is_file():
        try:
            earlier = json.loads(record.read_bytes())
        except ValueError:
            earlier = None
        if earlier != content:
            raise ConfigError(
                f"{folder}: holds a run of another configuration or cohort; name another run folder, or "
                "start anew (--fresh)."
            )
    write_json(folder / "config.json", config.model_dump(mode="json"))
    write_json(record, content)


def _examples(
    config: TrainConfig,
    cohort: Cohort,
    parts: Sequence[Sequence[int]],
    workers: int,
    prepared: Sequence[PreparedView] | None,
    progress: Callable[[str, int, int], None] | None,
    folder: Path,
) -> tuple[list[list[Example]], list[PreparedView]]:
    """Views and labels of the training and validation rows, cells of the former; slides without a view."""
    labels = {row["row"]: row for row in cohort.labels(config.label_scheme).iter_rows(named=True)}
    rows = [int(row) for part in parts for row in part]
    report = of_stage(progress, "views")
    records = prepared
    if records is None:
        records = prepare_views(
            cohort, config.view, config.view_folder, rows=rows, workers=workers, progress=report
        )
    by_row = {record.row: record for record in records}
    left_out = [by_row[row] for row in rows if by_row[row].picture is None]
    usable = [row for row in map(int, parts[0]) if by_row[row].picture is not None]
    cells = cells_of(
        config.teacher, cohort, usable, config.label_scheme, folder / "cells", workers=workers,
        progress=of_stage(progress, "measuring"),
    )  # fmt: skip
    examples = [
        [
            Example(
                row,
                cohort.table["slide_name"][row],
                labels[row]["patient"],
                labels[row]["label"],
                by_row[row].picture or "",
                cells.get(row),
            )
            for row in map(int, part)
            if by_row[row].picture is not None
        ]
        for part in parts
    ]
    for name, part in zip(("training", "validation"), examples, strict=True):
        if not part:
            why = f" (first: {left_out[0].reason})" if left_out else ""
            raise CohortError(f"{cohort.path}: no {name} slide gave a view{why}")
    if len({example.label for example in examples[0]}) < 2:
        raise CohortError(
            f"{cohort.path}: the training slides are all of one class; there is nothing to learn."
        )
    return examples, left_out
