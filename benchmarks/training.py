"""Where a training step's time goes: making crops against computing, and the share spent waiting.

    python benchmarks/training.py [--steps 30] [--threads 1]

Made-up views at 8 um/px: a 1.3 mm disc (170 px) and a 10 x 8 mm section (1250 x 1000 px). `wait` is the
share of step time that the loop waits for crops; at most 0.05 is the aim. `crop alone` is one crop made with
nothing else running, `step alone` one optimisation step on a ready batch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import cv2
import numpy as np
import torch

from lowpower.models import ModelSpec, build_network, head_loss
from lowpower.training import Augmentation, Batch, CropBatches, Example, Fitting, ViewStore, make_crop
from lowpower.units import Box, Mpp
from lowpower.views import View

SIZES = {"disc 1.3 mm": (170, 170), "section 10 x 8 mm": (1000, 1250)}


class MadeUp(ViewStore):
    """Views of textured brown and blue, held in memory."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(1)
        rng = np.random.default_rng(0)
        grain = cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 1.5)
        self.views = []
        for label in range(4):
            od = grain[..., None] * (np.array([0.5, 0.45, 0.3]) + label * np.array([0.1, 0.2, 0.3]))
            image = np.clip(240 * 10**-od, 0, 255).astype(np.uint8)
            mask = np.ones((height, width), bool)
            self.views.append(
                View(image, mask, Box(0, 0, width, height), Mpp(8.0), np.full(3, 240, np.float32))
            )

    def __getitem__(self, example: Example) -> View:
        return self.views[example.label]


def measure(name: str, steps: int, threads: int) -> None:
    fitting, augmentation = Fitting(), Augmentation()
    store = MadeUp(*SIZES[name])
    examples = [Example(row, f"{row}", f"{row}", row % 4, "") for row in range(64)]
    torch.manual_seed(0)
    network = build_network(ModelSpec(), 4).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), fitting.learning_rate)

    def step(batch: Batch) -> float:
        started = time.perf_counter()
        loss = head_loss("corn", network(batch.images, batch.masks), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return time.perf_counter() - started

    batches = CropBatches(
        examples,
        store,
        augmentation,
        count=steps * fitting.batch,
        batch=fitting.batch,
        crop=fitting.crop,
        multiple=network.pad_multiple,
        seed=0,
        epoch=0,
        threads=threads,
    )
    spent = [step(batch) for batch in batches]
    share = batches.wait_seconds / (batches.wait_seconds + sum(spent))
    rng = np.random.default_rng(0)
    crops = []
    for number in range(40):
        started = time.perf_counter()
        make_crop(store.views[number % 4], fitting.crop, augmentation, rng)
        crops.append(time.perf_counter() - started)
    ready = next(iter(batches))
    alone = statistics.median(step(ready) for _ in range(5))
    crop = statistics.median(crops)
    print(
        f"{name:18s} wait {share:.3f}  crop alone {1e3 * crop:.2f} ms  step alone {1e3 * alone:.0f} ms "
        f"({fitting.batch} crops)  crops/step {fitting.batch * crop / alone:.3f}  "
        f"{fitting.batch / statistics.median(spent):.1f} crops/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, torch on {torch.get_num_threads()} threads, load {load:.1f}")
    for name in SIZES:
        measure(name, options.steps, options.threads)


if __name__ == "__main__":
    main()
