"""Training an aggregator on bags of patch features: class-balanced bags, stopped by validation slides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lowpower.models import Aggregator, BagNetwork
from lowpower.training._fitting import BagFitting
from lowpower.training._train_request import TrainRequest
from lowpower.training.data import Ahead, balanced_order, turns
from lowpower.training.loop import LearningRun
from lowpower.views import Bag, check_bag, read_bag

__all__ = ["BagExample", "predict_bags", "train_bags"]

_RAM_BYTES = 4_000_000_000


@dataclass(frozen=True)
class BagExample:
    """One slide's bag: its feature file and its class."""

    path: str
    label: int


def train_bags(
    make: Callable[[int], Aggregator], mpp: float, request: TrainRequest[BagExample, BagFitting]
) -> tuple[BagNetwork, LearningRun]:
    """Train an aggregator.

    Args:
        make: A fresh aggregator for features of length D.
        mpp: um/px that every bag must have, within 5 %.
        request: The bags, and how long they are learnt from.

    Returns:
        The network with its best validation weights, on the CPU, and how it went.

    Raises:
        CohortError: no training or validation bag, or one class alone.
        ConfigError: a bag of another length or um/px, or training diverged.
        NoTissueError: a bag holds no patches.
    """
    request.check("an aggregator", "bags")
    store = _BagStore()
    dim = store[request.train[0]].dim
    for example in (*request.train, *request.validation):
        check_bag(store[example], dim=dim, mpp=mpp)
    centre, scale = _moments([store[example].features for example in request.train])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        network = BagNetwork(make(dim), centre, scale, mpp)
        run = request.learn(_BagLearner(network, store, request))
    return network, run


def predict_bags(
    network: BagNetwork, examples: Sequence[BagExample], device: torch.device | str = "cpu"
) -> NDArray[np.float64]:
    """(N, K) probabilities of bags, each alone.

    Raises:
        ConfigError: a bag of another feature length or um/px than the network's.
        NoTissueError: a bag holds no patches.
    """
    return _predict(network, examples, _BagStore(), torch.device(device))


class _BagStore:
    """Bags by example, kept in memory within a budget; those beyond it are read at each use."""

    def __init__(self) -> None:
        self._left = _RAM_BYTES
        self._kept: dict[str, Bag] = {}

    def __getitem__(self, example: BagExample) -> Bag:
        bag = self._kept.get(example.path)
        if bag is None:
            bag = read_bag(example.path)
            if bag.features.nbytes <= self._left:
                self._left -= bag.features.nbytes
                self._kept[example.path] = bag
        return bag


def _moments(bags: Sequence[NDArray[np.floating]]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) of features, every bag weighing the same."""
    means = np.stack([bag.mean(0, dtype=np.float64) for bag in bags])
    squares = np.stack([(bag.astype(np.float64) ** 2).mean(0) for bag in bags])
    centre = means.mean(0)
    scale = np.sqrt(np.maximum(squares.mean(0) - centre**2, 0))
    scale[scale < 1e-6] = 1.0
    return torch.from_numpy(centre).float(), torch.from_numpy(scale).float()


@dataclass(frozen=True, eq=False)
class _Batch:
    bags: Tensor
    mask: Tensor
    coords: Tensor
    labels: Tensor


class _BagLearner:
    def __init__(
        self,
        network: BagNetwork,
        store: _BagStore,
        request: TrainRequest[BagExample, BagFitting],
    ) -> None:
        self.network = network
        self.backbone, self.backbone_rate, self.average, self.convolves = None, 1.0, 0.0, False
        self.labels = [example.label for example in request.validation]
        self.validation, self.store = request.validation, store
        self._train, self._fitting, self._seed = request.train, request.fitting, request.seed

    def batches(self, epoch: int, rank: int, world: int) -> _BagBatches:
        return _BagBatches(self._train, self.store, self._fitting, (self._seed, epoch), rank, world)

    def loss(self, batch: _Batch, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        bags, mask, coords, labels = (
            tensor.to(device) for tensor in (batch.bags, batch.mask, batch.coords, batch.labels)
        )
        standard = self.network.standardised(bags)
        return self.network.aggregator.training_loss(standard, mask, labels, coords)[0], {}

    def validate(self, network: nn.Module, device: torch.device) -> NDArray[np.float64]:
        assert isinstance(network, BagNetwork)
        return _predict(network, self.validation, self.store, device)


class _BagBatches(Ahead[_Batch]):
    """An epoch of padded batches, every bag drawn from (seed, epoch, step)."""

    def __init__(
        self,
        examples: Sequence[BagExample],
        store: _BagStore,
        fitting: BagFitting,
        key: tuple[int, int],
        rank: int,
        world: int,
    ) -> None:
        labels = [example.label for example in examples]
        order = balanced_order(labels, len(examples), np.random.default_rng(key))
        self._examples, self._store, self._fitting, self._key = examples, store, fitting, key
        self._rank, self._world = rank, world
        self._steps = turns(order, fitting.batch, rank, world)
        super().__init__(self._make, len(self._steps))

    def _make(self, number: int) -> _Batch:
        step = self._steps[number].tolist()
        rng = np.random.default_rng((*self._key, 1, number * self._world + self._rank))
        drawn = [self._draw(self._store[self._examples[index]], rng) for index in step]
        longest = max(len(features) for features, _ in drawn)
        dim = drawn[0][0].shape[1]
        bags = torch.zeros((len(drawn), longest, dim))
        coords = torch.zeros((len(drawn), longest, 2))
        mask = torch.zeros((len(drawn), longest), dtype=torch.bool)
        for place, (features, corners) in enumerate(drawn):
            bags[place, : len(features)] = torch.from_numpy(features)  # ten times faster than numpy's cast
            coords[place, : len(features)] = torch.from_numpy(corners)
            mask[place, : len(features)] = True
        labels = torch.tensor([self._examples[index].label for index in step])
        return _Batch(bags, mask, coords, labels)

    def _draw(self, bag: Bag, rng: np.random.Generator) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
        wanted = self._fitting.instances
        if wanted is None or len(bag) <= wanted:
            return bag.features, bag.coords
        rows = np.sort(rng.permutation(len(bag))[:wanted])
        return bag.features[rows], bag.coords[rows]


@torch.inference_mode()
def _predict(
    network: BagNetwork, examples: Sequence[BagExample], store: _BagStore, device: torch.device
) -> NDArray[np.float64]:
    was_training = network.training
    network = network.to(device).eval()
    rows = []
    for example in examples:
        bag = store[example]
        check_bag(bag, dim=network.aggregator.dim, mpp=network.mpp)
        features = torch.from_numpy(np.asarray(bag.features, np.float32))[None].to(device)
        coords = torch.from_numpy(np.asarray(bag.coords, np.float32))[None].to(device)
        output = network(features, None, coords)
        rows.append(network.aggregator.probabilities(output.logits.double())[0].cpu().numpy())
    network.train(was_training)
    return np.stack(rows)
