"""Training a slide network on whole views: class-balanced crops of them, stopped by validation slides."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lowpower.models import ModelSpec, SlideNetwork, build_network, count_loss, head_loss, predict
from lowpower.training._fitting import Fitting
from lowpower.training._sections import Augmentation
from lowpower.training._train_request import TrainRequest
from lowpower.training.data import Batch, CropBatches, Example, ViewStore
from lowpower.training.loop import LearningRun

__all__ = ["train_views"]


def train_views(
    spec: ModelSpec,
    classes: int,
    pretrained: str | None,
    augmentation: Augmentation,
    request: TrainRequest[Example, Fitting],
) -> tuple[SlideNetwork, LearningRun]:
    """Train a slide network.

    Args:
        spec: The network.
        classes: K.
        pretrained: As `build_network` takes it.
        augmentation: How crops are varied.
        request: The slides; where cells of them are known, their counts are learnt too.

    Returns:
        The network with its best validation weights, on the CPU, and how it went.

    Raises:
        CohortError: no training or validation slide, or one class alone.
        ConfigError: the network cannot be built, or training diverged.
        WeightsError: the pretrained weights cannot be had.
    """
    request.check("a slide network", "slides")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        network = build_network(spec, classes, pretrained).to(memory_format=torch.channels_last)
        run = request.learn(_ViewLearner(network, augmentation, request))
    return network, run


class _ViewLearner:
    def __init__(
        self,
        network: SlideNetwork,
        augmentation: Augmentation,
        request: TrainRequest[Example, Fitting],
    ) -> None:
        self.network = network
        fitting = request.fitting
        self.backbone, self.backbone_rate = network.body, fitting.backbone_rate
        self.average, self.convolves = fitting.average, True
        self.labels = [example.label for example in request.validation]
        self._train, self._validation = list(request.train), request.validation
        self._fitting, self._augmentation, self._seed = fitting, augmentation, request.seed
        self._threads = request.trainer.threads
        self._store = ViewStore(request.trainer.ram_megabytes)
        taught = any(example.cells is not None for example in request.train)
        self._square = min(network.spec.strides) if taught else None

    def batches(self, epoch: int, rank: int, world: int) -> CropBatches:
        return CropBatches(
            self._train,
            self._store,
            self._augmentation,
            count=self._fitting.crops or len(self._train),
            batch=self._fitting.batch,
            crop=self._fitting.crop,
            multiple=self.network.pad_multiple,
            seed=self._seed,
            epoch=epoch,
            threads=self._threads,
            rank=rank,
            world=world,
            square=self._square,
        )

    def loss(self, batch: Batch, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        moved = batch.to(device)
        logits, log_rates = self.network.read(self.network.local_features(moved.images), moved.masks)
        loss = head_loss(self.network.spec.head, logits.float(), moved.labels)
        if moved.counts is None or log_rates is None:
            return loss, {}
        counted = count_loss(log_rates, moved.counts, moved.masks)
        return loss + counted, {"train_count_loss": counted}

    def validate(self, network: nn.Module, device: torch.device) -> NDArray[np.float64]:
        assert isinstance(network, SlideNetwork)
        views = (self._store[example] for example in self._validation)
        return np.stack([prediction.probabilities for prediction in predict(network, views, str(device))])
