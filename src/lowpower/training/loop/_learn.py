"""The loop of every learner: Lightning, stopped by validation, best weights kept, a killed one goes on."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import polars as pl
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from pydantic import ValidationError
from safetensors.torch import load_file

from lowpower.errors import ConfigError
from lowpower.files import atomic_path, make_folder, write_json
from lowpower.training._sections import TrainerOptions
from lowpower.training.loop._callbacks import BEST, LAST, DataWait, Progress, RunCheckpoint
from lowpower.training.loop._learner import Epochs, Learner, LearningRun, LearningSummary
from lowpower.training.loop._module import LearnerData, LearnerModule
from lowpower.training.loop._precision import check_accelerator, resolve_precision
from lowpower.training.loop._quiet import quiet_lightning

__all__ = ["check_trainer", "learn"]

_CHECKPOINTS, _SUMMARY = "checkpoints", "training.json"


def check_trainer(options: TrainerOptions) -> None:
    """Say before any work that training cannot run as asked: no such device, strategy or number of them.

    Raises:
        ConfigError: in Lightning's first sentence, where it is Lightning that refuses.
    """
    check_accelerator(options.accelerator, options.devices)
    with quiet_lightning(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same are given when training begins
        try:
            L.Trainer(**_placed(options), logger=False, enable_checkpointing=False)
        except (ValueError, TypeError, RuntimeError, ImportError, AttributeError) as error:
            said = " ".join(str(error).split()).split(". ")[0].replace("`", "").rstrip(".")
            asked = ", ".join(f"{name} {value}" for name, value in _placed(options).items())
            raise ConfigError(f"trainer: {asked} cannot be had here: {said}.") from error


def _placed(options: TrainerOptions) -> dict[str, Any]:
    """Where Lightning is to compute."""
    return {
        "accelerator": options.accelerator,
        "devices": options.devices,
        "num_nodes": options.num_nodes,
        "strategy": options.strategy,
    }


def learn(
    learner: Learner,
    course: Epochs,
    *,
    seed: int,
    trainer: TrainerOptions,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LearningRun:
    """Train a learner's network and leave it with its best validation weights, on the CPU, evaluating.

    Args:
        learner: How it learns.
        course: How long and how fast.
        seed: Of dropout; weights and draws are the learner's own.
        trainer: Devices and precision.
        folder: Takes checkpoints/, logs/, tensorboard/, history.csv and training.json. Whoever names it
            vouches that what lies there is of the same learner: a training that was killed goes on, one that
            came to its end is not run again. None keeps nothing.
        progress: Called with (steps done, steps in all).

    Raises:
        ConfigError: the loss is no number.
        OutputError: the folder cannot be written.
    """
    kept = contextlib.nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory()
    with kept as place:
        return _learnt(learner, course, seed, trainer, make_folder(place), progress)


def _learnt(
    learner: Learner,
    course: Epochs,
    seed: int,
    trainer: TrainerOptions,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> LearningRun:
    best = folder / _CHECKPOINTS / BEST
    summary = _finished(folder) or _fit(learner, course, seed, trainer, folder, progress)
    learner.network.load_state_dict(load_file(best))
    learner.network.cpu().eval()
    history = _history_of(folder / "logs")
    with atomic_path(folder / "history.csv") as temporary:
        history.write_csv(temporary)
    write_json(folder / _SUMMARY, summary.model_dump(mode="json"))
    # Only a killed training needs it, and it is three times as large as the weights.
    (folder / _CHECKPOINTS / LAST).unlink(missing_ok=True)
    return LearningRun(summary, history)


def _finished(folder: Path) -> LearningSummary | None:
    """The summary of a training that came to its end in `folder`: then there is nothing to go on with."""
    try:
        summary = LearningSummary.model_validate_json((folder / _SUMMARY).read_bytes())
    except (OSError, ValidationError):
        return None
    return summary if (folder / _CHECKPOINTS / BEST).is_file() else None


def _fit(
    learner: Learner,
    course: Epochs,
    seed: int,
    options: TrainerOptions,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> LearningSummary:
    """Run Lightning's loop, from the latest checkpoint where there is one."""
    data, module = LearnerData(learner), LearnerModule(learner, course, seed)
    checkpoint, wait = RunCheckpoint(folder / _CHECKPOINTS), DataWait(data)
    stopping = EarlyStopping("val_loss", patience=course.patience, mode="min", check_finite=True)
    callbacks = [stopping, wait, checkpoint]
    if progress is not None:
        callbacks.append(Progress(progress))
    started = time.perf_counter()
    with quiet_lightning():
        trainer = L.Trainer(
            **_placed(options),
            precision=resolve_precision(options.precision, options.accelerator, convolves=learner.convolves),
            max_epochs=course.epochs,
            gradient_clip_val=course.clip,
            callbacks=callbacks,
            logger=[
                CSVLogger(folder, "logs", flush_logs_every_n_steps=1),
                TensorBoardLogger(folder, "tensorboard"),
            ],
            reload_dataloaders_every_n_epochs=1,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_checkpointing=True,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        last = folder / _CHECKPOINTS / LAST
        # weights_only: a checkpoint holds tensors and plain values; nothing in it is executed.
        trainer.fit(
            module, datamodule=data, ckpt_path=str(last) if last.is_file() else None, weights_only=True
        )
    if not math.isfinite(checkpoint.best_loss):
        raise ConfigError("training diverged (the loss is no number); lower fitting.learning_rate.")
    return LearningSummary(
        epochs=trainer.current_epoch,
        best_epoch=checkpoint.best_epoch,
        best_loss=checkpoint.best_loss,
        data_wait=sum(wait.shares) / len(wait.shares) if wait.shares else None,
        seconds=time.perf_counter() - started,
    )


def _history_of(logs: Path) -> pl.DataFrame:
    """One row an epoch out of Lightning's CSV logs, which hold one row a log call and one file a start."""
    tables = [
        pl.read_csv(path, infer_schema_length=None)
        for path in sorted(logs.rglob("metrics.csv"), key=lambda path: path.stat().st_mtime_ns)
        if path.stat().st_size
    ]
    if not tables:
        return pl.DataFrame({"epoch": []})
    joined = pl.concat(tables, how="diagonal_relaxed")
    values = [name for name in joined.columns if name not in ("epoch", "step")]
    return (
        joined.group_by("epoch", maintain_order=True)
        .agg(pl.col("step").max(), *(pl.col(name).drop_nulls().last() for name in values))
        .sort("epoch")
    )
