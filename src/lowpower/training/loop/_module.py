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
from torch import Tensor

from lowpower.models import Prediction, SlideNetwork, count_loss, head_loss, predict
from lowpower.training._train_config import TrainConfig
from lowpower.training.data import Batch, CropBatches, Example, ViewStore
from lowpower.training.loop._optimiser import one_cycle

__all__ = ["CropData", "SlideModule", "validation_metrics"]


class CropData(L.LightningDataModule):
    """Training crops anew each epoch; validation slides one by one. It is never given a test slide."""

    def __init__(
        self, config: TrainConfig, train: Sequence[Example], validation: Sequence[Example], multiple: int
    ) -> None:
        super().__init__()
        self.config = config
        self.training_examples, self.validation_examples = list(train), list(validation)
        self.multiple = multiple
        self.store = ViewStore(config.trainer.ram_megabytes)
        self.latest: CropBatches | None = None

    def batches(self, epoch: int, rank: int = 0, world: int = 1) -> CropBatches:
        """The batches of one epoch for one device."""
        fitting = self.config.fitting
        return CropBatches(
            self.training_examples,
            self.store,
            self.config.augmentation,
            count=fitting.crops or len(self.training_examples),
            batch=fitting.batch,
            crop=fitting.crop,
            multiple=self.multiple,
            seed=self.config.seed,
            epoch=epoch,
            threads=self.config.trainer.threads,
            rank=rank,
            world=world,
            square=min(self.config.model.strides) if self.config.teacher != "none" else None,
        )

    def train_dataloader(self) -> CropBatches:
        """Lightning asks once an epoch."""
        trainer = self.trainer
        assert trainer is not None
        self.latest = self.batches(trainer.current_epoch, trainer.global_rank, trainer.world_size)
        return self.latest

    def val_dataloader(self) -> list[int]:
        """Positions of validation examples; every device sees all of them."""
        return list(range(len(self.validation_examples)))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move training crops; validation views move inside `predict`."""
        return batch.to(device) if isinstance(batch, Batch) else batch


class SlideModule(L.LightningModule):
    """A slide network in training."""

    def __init__(self, network: SlideNetwork, config: TrainConfig, data: CropData) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.data = data
        self.averaged = copy.deepcopy(network).requires_grad_(False) if config.fitting.average else None
        self.predictions: list[Prediction] = []

    @property
    def judged(self) -> SlideNetwork:
        """The network that is validated and kept: the average where one is taken."""
        return self.averaged or self.network

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout from the step's own seed: a resumed run draws what an unbroken one would have drawn."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        logits, log_rates = self.network.read(self.network.local_features(batch.images), batch.masks)
        loss = head_loss(self.network.spec.head, logits.float(), batch.labels)
        if batch.counts is not None and log_rates is not None:
            counted = count_loss(log_rates, batch.counts, batch.masks)
            self.log("train_count_loss", counted, on_step=False, on_epoch=True, batch_size=len(batch.labels))
            loss = loss + counted
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.labels))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the average, faster in the first steps: it must not remember where the weights began."""
        if self.averaged is None:
            return
        step = self.global_step
        kept = min(self.config.fitting.average, (1 + step) / (10 + step))
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

    def on_validation_epoch_start(self) -> None:
        """Forget the previous epoch's predictions."""
        self.predictions = []

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Predict one whole view, as scoring will."""
        view = self.data.store[self.data.validation_examples[batch]]
        self.predictions += predict(self.judged, [view], str(self.device))

    def on_validation_epoch_end(self) -> None:
        """Log the class-balanced validation metrics."""
        labels = [example.label for example in self.data.validation_examples[: len(self.predictions)]]
        probabilities = np.stack([prediction.probabilities for prediction in self.predictions])
        for name, value in validation_metrics(labels, probabilities).items():
            self.log(name, value, prog_bar=name == "val_loss", batch_size=len(labels))

    def configure_optimizers(self) -> Any:
        """The backbone may learn more slowly than the rest."""
        fitting = self.config.fitting
        steps = int(self.trainer.estimated_stepping_batches)
        return one_cycle(self.network, fitting, steps, self.network.body, fitting.backbone_rate)


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
