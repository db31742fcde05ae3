"""What Lightning needs to know: how to step, how to validate, what to optimise."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lowpower.training.loop._learner import Batches, Epochs, Learner
from lowpower.training.loop._optimiser import one_cycle

__all__ = ["LearnerData", "LearnerModule", "validation_metrics"]


class LearnerData(L.LightningDataModule):
    """Training batches anew each epoch. It is never given a test slide."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner
        self.latest: Batches | None = None

    def train_dataloader(self) -> Batches:
        """Lightning asks once an epoch."""
        trainer = self.trainer
        assert trainer is not None
        self.latest = self.learner.batches(trainer.current_epoch, trainer.global_rank, trainer.world_size)
        return self.latest

    def val_dataloader(self) -> list[int]:
        """One step: the learner validates all slides at once, and every device sees all of them."""
        return [0]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Learners move what they need."""
        return batch


class LearnerModule(L.LightningModule):
    """A network in training.

    Args:
        learner: How it learns.
        course: The optimiser's course.
        seed: Of dropout.
    """

    def __init__(self, learner: Learner, course: Epochs, seed: int) -> None:
        super().__init__()
        self.network = learner.network
        self.learner, self.course, self.seed = learner, course, seed
        self.averaged = copy.deepcopy(learner.network).requires_grad_(False) if learner.average else None

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept: the average where one is taken."""
        return self.averaged or self.network

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout from the step's own seed: a resumed run draws what an unbroken one would have drawn."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        loss, parts = self.learner.loss(batch, self.device)
        for name, value in ({"train_loss": loss} | parts).items():
            self.log(name, value, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the average, faster in the first steps: it must not remember where the weights began."""
        if self.averaged is None:
            return
        step = self.global_step
        kept = min(self.learner.average, (1 + step) / (10 + step))
        with torch.no_grad():
            new = self.network.state_dict()
            for name, value in self.averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(new[name], 1 - kept)
                else:
                    value.copy_(new[name])

    def on_train_epoch_end(self) -> None:
        """Stop on a loss that is no number: nothing after it would be worth its time."""
        loss = self.trainer.callback_metrics.get("train_loss")
        if loss is not None and not math.isfinite(float(loss)):
            self.trainer.should_stop = True

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Predict the validation slides, as scoring will, and log class-balanced metrics."""
        probabilities = self.learner.validate(self.judged, self.device)
        for name, value in validation_metrics(self.learner.labels, probabilities).items():
            self.log(name, value, batch_size=1)

    def configure_optimizers(self) -> Any:
        """The backbone may learn more slowly than the rest."""
        steps = int(self.trainer.estimated_stepping_batches)
        return one_cycle(self.network, self.course, steps, self.learner.backbone, self.learner.backbone_rate)


def validation_metrics(labels: Sequence[int], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Class-balanced log loss (`val_loss`), balanced accuracy and mean absolute error of the expected score.

    Every class that occurs weighs the same, whatever its number of slides; `probabilities` are (N, K).
    """
    truth = np.asarray(labels)
    losses = -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-7))
    right = probabilities.argmax(1) == truth
    off = np.abs(probabilities @ np.arange(probabilities.shape[1]) - truth)
    classes = [truth == label for label in np.unique(truth)]
    return {
        "val_loss": float(np.mean([losses[members].mean() for members in classes])),
        "val_balanced_accuracy": float(np.mean([right[members].mean() for members in classes])),
        "val_score_error": float(np.mean([off[members].mean() for members in classes])),
    }
