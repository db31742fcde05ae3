"""Fine-tuning a network on patches that carry their slide's label, stopped by validation slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lowpower.models import ModelSpec, SlideNetwork, build_network, head_loss, patch_probabilities
from lowpower.training._fitting import PatchFitting
from lowpower.training._sections import Augmentation
from lowpower.training._train_request import TrainRequest
from lowpower.training.data import Ahead, Batch, balanced_order, collate, make_crop, turns
from lowpower.training.loop import LearningRun
from lowpower.units import Box, Mpp
from lowpower.views import View

__all__ = ["PatchExample", "predict_patches", "train_patches"]


@dataclass(frozen=True)
class PatchExample:
    """One slide's patches on disk.

    Attributes:
        path: A .npy file, (N, H, W, 3) uint8 RGB; read as far as needed.
        label: The slide's class.
        white_point: RGB of its glass.
        mpp: um/px.
    """

    path: str
    label: int
    white_point: tuple[float, float, float]
    mpp: float

    def patches(self) -> NDArray[np.uint8]:
        """The patches, mapped into memory."""
        return np.asarray(np.load(self.path, mmap_mode="r"))


def train_patches(
    spec: ModelSpec,
    classes: int,
    pretrained: str | None,
    augmentation: Augmentation,
    request: TrainRequest[PatchExample, PatchFitting],
) -> tuple[SlideNetwork, LearningRun]:
    """Fine-tune a network on patches.

    Validation is by slide: the mean probability of its patches.

    Args:
        spec: The network; it sees one patch at a time.
        classes: K.
        pretrained: As `build_network` takes it.
        augmentation: How patches are varied.
        request: The slides, and how long they are learnt from.

    Returns:
        The network with its best validation weights, on the CPU, and how it went.

    Raises:
        CohortError: no training or validation slide, or one class alone.
        ConfigError: the network cannot be built, or training diverged.
        WeightsError: the pretrained weights cannot be had.
    """
    request.check("a patch network", "slides")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        network = build_network(spec, classes, pretrained).to(memory_format=torch.channels_last)
        run = request.learn(_PatchLearner(network, augmentation, request))
    return network, run


def predict_patches(
    network: SlideNetwork, example: PatchExample, device: torch.device | str = "cpu"
) -> NDArray[np.float64]:
    """(N, K) probabilities of a slide's patches."""
    return patch_probabilities(network, example.patches(), example.white_point, device)


class _PatchLearner:
    def __init__(
        self,
        network: SlideNetwork,
        augmentation: Augmentation,
        request: TrainRequest[PatchExample, PatchFitting],
    ) -> None:
        self.network = network
        self.backbone, self.backbone_rate = network.body, request.fitting.backbone_rate
        self.average, self.convolves = 0.0, True
        self.labels = [example.label for example in request.validation]
        self._train, self._validation = request.train, request.validation
        self._fitting, self._augmentation, self._seed = request.fitting, augmentation, request.seed

    def batches(self, epoch: int, rank: int, world: int) -> _PatchBatches:
        multiple = self.network.pad_multiple
        key = (self._seed, epoch)
        return _PatchBatches(self._train, self._fitting, self._augmentation, multiple, key, rank, world)

    def loss(self, batch: Batch, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        moved = batch.to(device)
        logits = self.network(moved.images, moved.masks)
        return head_loss(self.network.spec.head, logits.float(), moved.labels), {}

    def validate(self, network: nn.Module, device: torch.device) -> NDArray[np.float64]:
        assert isinstance(network, SlideNetwork)
        return np.stack([predict_patches(network, example, device).mean(0) for example in self._validation])


class _PatchBatches(Ahead[Batch]):
    """An epoch: slides class-balanced, some patches of each, mixed; drawn from (seed, epoch) alone."""

    def __init__(
        self,
        examples: Sequence[PatchExample],
        fitting: PatchFitting,
        augmentation: Augmentation,
        multiple: int,
        key: tuple[int, int],
        rank: int,
        world: int,
    ) -> None:
        rng = np.random.default_rng(key)
        slides = balanced_order([example.label for example in examples], len(examples), rng)
        self._drawn = [
            (int(slide), int(patch))
            for slide in slides
            for patch in rng.permutation(len(examples[slide].patches()))[: fitting.per_slide]
        ]
        order = rng.permutation(len(self._drawn))
        # A last batch of a few would make a step of much noise; it is left out.
        whole = fitting.batch * world
        steps = max(1, len(order) // whole)
        self._steps = turns(order[: steps * whole], fitting.batch, rank, world)
        self._examples, self._augmentation = examples, augmentation
        self._multiple, self._key, self._place = multiple, key, (rank, world)
        super().__init__(self._make, len(self._steps))

    def _make(self, number: int) -> Batch:
        step = [self._drawn[index] for index in self._steps[number]]
        rank, world = self._place
        crops = []
        for place, (slide, patch) in enumerate(step):
            example = self._examples[slide]
            image = np.ascontiguousarray(example.patches()[patch])
            side = max(image.shape[:2])
            box = Box(0, 0, image.shape[1], image.shape[0])
            white = np.asarray(example.white_point, np.float32)
            view = View(image, np.ones(image.shape[:2], bool), box, Mpp(example.mpp), white)
            rng = np.random.default_rng((*self._key, 1, number, place * world + rank))
            crops.append(make_crop(view, side, self._augmentation, rng))
        labels = [self._examples[slide].label for slide, _ in step]
        return collate(crops, labels, self._multiple)
