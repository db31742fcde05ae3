"""The loop that high-resolution learners share: Lightning, stopped by validation, best weights kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from numpy.typing import NDArray
from torch import Tensor, nn

from lowpower.errors import ConfigError
from lowpower.training.loop._module import validation_metrics
from lowpower.training.loop._optimiser import Course, one_cycle
from lowpower.training.loop._quiet import quiet_lightning

__all__ = ["Accelerator", "Epochs", "Learner", "LearningRun", "device_of", "learn"]

Accelerator = Literal["auto", "cpu", "gpu"]


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

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class Learner(Protocol):
    """What the loop asks of a method."""

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
    def labels(self) -> Sequence[int]:
        """Class of each validation slide."""

    def batches(self, epoch: int) -> Batches:
        """Training batches of an epoch; the same for the same epoch."""

    def loss(self, batch: Any, device: torch.device) -> Tensor:
        """Loss of one batch."""

    def validate(self, device: torch.device) -> NDArray[np.float64]:
        """(validation slides, K) probabilities."""


@dataclass(frozen=True, eq=False)
class LearningRun:
    """How a training went.

    Attributes:
        epochs: Epochs run.
        best_epoch: Epoch of the weights kept, counted from 0.
        best_loss: Its class-balanced validation log loss.
        history: One dictionary an epoch: epoch, train_loss, val_loss, val_balanced_accuracy,
            val_score_error.
    """

    epochs: int
    best_epoch: int
    best_loss: float
    history: tuple[dict[str, float], ...]


def device_of(accelerator: Accelerator) -> torch.device:
    """Where networks run.

    Raises:
        ConfigError: a GPU is asked for where there is none.
    """
    present = torch.cuda.is_available()
    if accelerator == "gpu" and not present:
        raise ConfigError("accelerator gpu: this machine shows no CUDA device; use cpu or auto.")
    return torch.device("cuda" if present and accelerator != "cpu" else "cpu")


def learn(learner: Learner, course: Epochs, *, seed: int, accelerator: Accelerator = "cpu") -> LearningRun:
    """Train a learner's network and leave it with its best validation weights, on the CPU, evaluating.

    Raises:
        ConfigError: the loss is no number, or there is no such accelerator.
    """
    module = _Module(learner, course, seed)
    device = device_of(accelerator)
    with quiet_lightning():
        trainer = L.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=course.epochs,
            gradient_clip_val=course.clip,
            callbacks=[EarlyStopping("val_loss", patience=course.patience, mode="min", check_finite=True)],
            logger=False,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, datamodule=_Data(learner))
    if module.best_state is None:
        raise ConfigError("training diverged (the loss is no number); lower fitting.learning_rate.")
    learner.network.load_state_dict(module.best_state)
    learner.network.cpu().eval()
    return LearningRun(trainer.current_epoch, module.best_epoch, module.best_loss, tuple(module.history))


class _Data(L.LightningDataModule):
    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def train_dataloader(self) -> Batches:
        assert self.trainer is not None
        return self.learner.batches(self.trainer.current_epoch)

    def val_dataloader(self) -> list[int]:
        """One step: the learner validates all slides at once."""
        return [0]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Learners move what they need."""
        return batch


class _Module(L.LightningModule):
    def __init__(self, learner: Learner, course: Epochs, seed: int) -> None:
        super().__init__()
        self.network = learner.network
        self.learner, self.course, self.seed = learner, course, seed
        self.best_loss, self.best_epoch = math.inf, -1
        self.best_state: dict[str, Tensor] | None = None
        self.history: list[dict[str, float]] = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout from the step's own seed."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.learner.loss(batch, self.device)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_train_epoch_end(self) -> None:
        loss = float(self.trainer.callback_metrics["train_loss"])
        self.history[-1]["train_loss"] = loss
        if not math.isfinite(loss):
            self.trainer.should_stop = True

    def validation_step(self, batch: int, batch_idx: int) -> None:
        metrics = validation_metrics(self.learner.labels, self.learner.validate(self.device))
        for name, value in metrics.items():
            self.log(name, value, batch_size=1)
        self.history.append({"epoch": float(self.current_epoch)} | metrics)
        if metrics["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = metrics["val_loss"], self.current_epoch
            self.best_state = {
                name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()
            }

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return one_cycle(self.network, self.course, steps, self.learner.backbone, self.learner.backbone_rate)
