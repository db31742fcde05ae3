"""Where the time of features and of their aggregator goes.

Features: a JPEG TIFF at 0.25 um/px is made once, its 256 px patches at 0.5 um/px are encoded by
efficientnet-lite0 with every processor. Told: patches a second, and the shares of time in the network,
waiting for pixels, and writing. At least 0.85 in the network is the aim.

MIL: bags of 10,000 x 1,280 features in HDF5, ABMIL, the training that a study runs. Told: the share of
training time between a batch handed to the loop and the next one asked for (aim 0.9), and the processor
seconds of as many bare steps (forward, backward, optimiser, on a ready batch) over those of training.

    python benchmarks/features.py [--patches 600] [--bags 24] [--epochs 2]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from lowpower.models import create_aggregator, create_encoder
from lowpower.slides import open_slide
from lowpower.training import BagExample, BagFitting, TrainRequest, train_bags
from lowpower.training import _train_bags as bags_module
from lowpower.views import PatchQC, PatchRecipe
from lowpower.views import _features as features_module
from patches import make_grid, write_slide

INSTANCES, DIM, CLASSES = 10_000, 1_280, 4


def features(folder: Path, patches: int, *, inspect: bool) -> dict[str, float]:
    """Patches a second of efficientnet-lite0 over one slide, and where the time went."""
    encoder = create_encoder("efficientnet-lite0")
    with open_slide(folder / "half.tif") as slide:
        grid = make_grid(slide, PatchRecipe(mpp=0.5, size=256, min_tissue=0.9), patches)
        qc = PatchQC() if inspect else None
        encode = encoder.for_slide((255, 255, 255))
        encode(np.zeros((64, 256, 256, 3), np.uint8))  # the first batch finds the kernels
        white = (240.0, 240.0, 240.0)
        written, times = features_module._write(
            slide, grid, encode, folder / "features.h5", white, qc, 64, None
        )
    return {
        "patches": len(grid),
        "kept": written.rows,
        "patches a second": round(len(grid) / times.total, 1),
        "share in the network": round(times.encoding / times.total, 3),
        "share waiting for pixels": round(times.waiting / times.total, 3),
        "share writing": round(times.writing / times.total, 4),
    }


class Clock:
    """Wraps the batches of the training loop: time waited for them, and time in which they are used."""

    def __init__(self) -> None:
        self.waited = self.used = self.processor = 0.0
        self.steps = 0
        self._iterate = bags_module._BagBatches.__iter__

    def __enter__(self) -> Clock:
        clock, iterate = self, self._iterate

        def timed(batches: Any) -> Iterator[Any]:
            mark, spent = time.perf_counter(), time.process_time()
            for batch in iterate(batches):
                now = time.perf_counter()
                clock.waited += now - mark
                yield batch
                mark = time.perf_counter()
                clock.used += mark - now
                clock.processor += time.process_time() - spent
                spent = time.process_time()
                clock.steps += 1

        bags_module._BagBatches.__iter__ = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *told: object) -> None:
        bags_module._BagBatches.__iter__ = self._iterate  # type: ignore[method-assign]


def write_bags(folder: Path, count: int) -> list[BagExample]:
    """Bags of noise with a little of their class in it."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        path = folder / f"bag{number}.h5"
        values = rng.standard_normal((INSTANCES, DIM), np.float32)
        values[:, number % CLASSES] += 0.5
        with h5py.File(path, "w") as file:
            file["features"], file["coords"] = values.astype(np.float16), np.zeros((INSTANCES, 2))
        made.append(BagExample(str(path), number % CLASSES))
    return made


def mil(folder: Path, count: int, epochs: int) -> dict[str, float]:
    """Share of ABMIL's training that is the step."""
    examples = write_bags(folder, count + CLASSES)
    fitting = BagFitting(epochs=epochs, patience=epochs)
    with Clock() as clock:
        train_bags(
            lambda dim: create_aggregator("abmil", dim, CLASSES, "corn"),
            0.5, TrainRequest(examples[:count], examples[count:], fitting),
        )  # fmt: skip
    bare = bare_step(fitting.batch)
    return {
        "bags a step": fitting.batch,
        "steps": clock.steps,
        "seconds a step": round(clock.used / clock.steps, 3),
        "share in the step": round(clock.used / (clock.used + clock.waited), 3),
        "bare steps over training, processor": round(bare * clock.steps / clock.processor, 3),
    }


def bare_step(batch: int, steps: int = 3) -> float:
    """Processor seconds of a step on a ready batch: forward, backward, optimiser."""
    torch.manual_seed(0)
    network = create_aggregator("abmil", DIM, CLASSES, "corn").train()
    optimiser = torch.optim.AdamW(network.parameters())
    features, labels = torch.randn(batch, INSTANCES, DIM), torch.arange(batch) % CLASSES
    mask = torch.ones(batch, INSTANCES, dtype=torch.bool)
    spent = []
    for _ in range(steps):
        begin = time.process_time()
        loss, _ = network.training_loss(features, mask, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        spent.append(time.process_time() - begin)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=600)
    parser.add_argument("--bags", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_slide(place / "half.tif", (1, 2, 4), side=20_480)
        told: dict[str, Any] = {"load": round(os.getloadavg()[0], 1), "threads": torch.get_num_threads()}
        told["features"] = features(place, options.patches, inspect=False)
        told["features, patches inspected"] = features(place, options.patches, inspect=True)
        told["mil"] = mil(place, options.bags, options.epochs)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
