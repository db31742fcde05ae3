"""Batches for training: class-balanced crops, padded to one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowpower.models import CELL_CLASSES
from lowpower.training._sections import Augmentation
from lowpower.training.data._ahead import Ahead, turns
from lowpower.training.data._augment import Crop, make_crop
from lowpower.training.data._view_memory import Example, ViewStore

__all__ = ["Batch", "CropBatches", "balanced_order", "collate"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one step.

    Attributes:
        images: (B, 3, H, W) float32, intensity / white point, padded with glass (1.0).
        masks: (B, 1, H, W) float32, padded with 0.
        labels: (B,) int64.
        counts: (B, h, w, 4) float32, tumour cells of each class in each square of the network's grid, NaN
            throughout a crop whose cells nobody knows; None without a teacher.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    counts: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        counts = None if self.counts is None else self.counts.to(device)
        return Batch(self.images.to(device), self.masks.to(device), self.labels.to(device), counts)


def balanced_order(labels: Sequence[int], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` examples with every class equally often (to within one), in random order.

    Within a class each example comes once before any comes again.
    """
    classes = rng.permutation(np.unique(labels))
    wanted = np.bincount(np.arange(count) % len(classes), minlength=len(classes))
    chosen = []
    for label, number in zip(classes, wanted, strict=True):
        members = np.flatnonzero(np.asarray(labels) == label)
        rounds = -(-int(number) // members.size)
        chosen.append(np.concatenate([rng.permutation(members) for _ in range(max(1, rounds))])[:number])
    return rng.permutation(np.concatenate(chosen)).astype(np.int64)


def collate(crops: Sequence[Crop], labels: Sequence[int], multiple: int, square: int | None = None) -> Batch:
    """Pad crops to one size, a multiple of `multiple`, with glass outside the mask.

    Cells are counted in squares of `square` pixels, if given.
    """
    height = max(crop.mask.shape[0] for crop in crops)
    width = max(crop.mask.shape[1] for crop in crops)
    height, width = height + -height % multiple, width + -width % multiple
    images = np.ones((len(crops), height, width, 3), np.float32)
    masks = np.zeros((len(crops), 1, height, width), np.float32)
    for index, crop in enumerate(crops):
        rows, columns = crop.mask.shape
        images[index, :rows, :columns] = crop.image
        masks[index, 0, :rows, :columns] = crop.mask
    # A view in channels-last order: what convolutions on CPUs and tensor cores like best.
    return Batch(
        torch.from_numpy(images).permute(0, 3, 1, 2),
        torch.from_numpy(masks),
        torch.tensor(labels),
        None
        if square is None
        else torch.from_numpy(_counted(crops, height // square, width // square, square)),
    )


def _counted(crops: Sequence[Crop], rows: int, columns: int, square: int) -> NDArray[np.float32]:
    """(B, rows, columns, 4) tumour cells of each class in squares of `square` pixels; NaN where unknown."""
    counts = np.full((len(crops), rows, columns, CELL_CLASSES), np.nan, np.float32)
    for index, crop in enumerate(crops):
        if crop.cells is None:
            continue
        places = np.floor((crop.cells[:, [1, 0]] + 0.5) / square).astype(np.intp)
        inside = ((places >= 0) & (places < (rows, columns))).all(1)
        counts[index] = 0
        np.add.at(counts[index], (*places[inside].T, crop.cells[inside, 2].astype(np.intp)), 1)
    return counts


class CropBatches(Ahead[Batch]):
    """An epoch of crops.

    Every crop is drawn from (seed, epoch, position): threads, devices or a resumed run do not change it.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        store: ViewStore,
        augmentation: Augmentation,
        *,
        count: int,
        batch: int,
        crop: int,
        multiple: int,
        seed: int,
        epoch: int,
        threads: int = 1,
        rank: int = 0,
        world: int = 1,
        square: int | None = None,
    ) -> None:
        self._examples, self._store, self._augmentation = examples, store, augmentation
        self._crop, self._multiple, self._square = crop, multiple, square
        self._key = (seed, epoch)
        labels = [example.label for example in examples]
        self._order = balanced_order(labels, count, np.random.default_rng(self._key))
        steps = max(1, count // (batch * world))
        self._steps = turns(np.arange(steps * batch * world) % count, batch, rank, world)
        super().__init__(self._make, len(self._steps), threads)

    def _make(self, step: int) -> Batch:
        crops, labels = [], []
        for position in self._steps[step].tolist():
            example = self._examples[self._order[position]]
            rng = np.random.default_rng((*self._key, 1, position))
            view, cells = self._store[example], self._store.cells(example)
            crops.append(make_crop(view, self._crop, self._augmentation, rng, cells))
            labels.append(example.label)
        return collate(crops, labels, self._multiple, self._square)
