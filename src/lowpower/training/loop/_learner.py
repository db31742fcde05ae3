"""What the loop asks of a method of learning, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from lowpower.training.loop._optimiser import Course

__all__ = ["Batches", "Epochs", "Learner", "LearningRun", "LearningSummary"]


class Epochs(Course, Protocol):
    """A fitting section: the optimiser's course and how long it may take."""

    @property
    def epochs(self) -> int:
        """At most this many passes."""

    @property
    def patience(self) -> int:
        """Epochs without a better validation loss before it stops."""

    @property
    def clip(self) -> float:
        """Largest gradient norm."""


class Batches(Protocol):
    """One epoch's batches."""

    @property
    def wait_seconds(self) -> float:
        """Time the latest iteration waited for a batch."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class Learner(Protocol):
    """A method of learning, without the loop."""

    @property
    def network(self) -> nn.Module:
        """Every parameter of it learns."""

    @property
    def backbone(self) -> nn.Module | None:
        """Part of the network that learns more slowly."""

    @property
    def backbone_rate(self) -> float:
        """How much more slowly, 0 to 1."""

    @property
    def average(self) -> float:
        """Weights judged and kept are a moving average that keeps this share a step; 0 for none."""

    @property
    def convolves(self) -> bool:
        """Whether computing in bf16 is worth it where the hardware has it."""

    @property
    def labels(self) -> Sequence[int]:
        """Class of each validation slide."""

    def batches(self, epoch: int, rank: int, world: int) -> Batches:
        """Training batches of an epoch for one of `world` devices; the same for the same epoch."""

    def loss(self, batch: Any, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch, and parts of it to log."""

    def validate(self, network: nn.Module, device: torch.device) -> NDArray[np.float64]:
        """(validation slides, K) probabilities by the learner's network, or by its average."""


class LearningSummary(BaseModel):
    """training.json, written when a training has come to its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = Field(1, ge=1, le=1)
    epochs: int = Field(description="Epochs run.")
    best_epoch: int = Field(description="Epoch of the weights kept, counted from 0.")
    best_loss: float = Field(description="Its class-balanced validation log loss.")
    data_wait: float | None = Field(description="Mean share of step time spent waiting for batches.")
    seconds: float = Field(description="Time in the training loop since it was last started.")


@dataclass(frozen=True, eq=False)
class LearningRun:
    """How a training went.

    Attributes:
        summary: In numbers.
        history: One row an epoch: epoch, step, train_loss, val_loss, val_balanced_accuracy, val_score_error,
            data_wait, and what the learner logs besides.
    """

    summary: LearningSummary
    history: pl.DataFrame
