"""Builds the network that finds nuclei and membranes (`lowpower.stain`) from nothing: simulate, train, save.

    python recipes/build_cell_network.py [--steps 5000] [--out FILE.safetensors]

No real slide is read, and no slide of a test or a benchmark: those draw their laboratories from other seeds.
One thread trains, so that the same machine gives the same bytes again; half an hour on two shared cores.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from cell_fields import COHORTS, TrainingField, draw_example, fields_of_slide
from rich.progress import Progress
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional, init

from lowpower.stain._cell_network import CellNetwork

TARGET = Path(__file__).resolve().parents[1] / "src" / "lowpower" / "stain" / "cell_network.safetensors"
BATCH = 16
RATE = 3e-3
WARM_UP = 50
WEIGHTS = {"nuclei": 1.0, "membrane": 4.0}


def loss_of(logits: Tensor, maps: Tensor, known: Tensor) -> Tensor:
    """Centres by focal cross-entropy on soft targets, nuclei and membranes by cross-entropy.

    After Li et al., Generalized Focal Loss, NeurIPS 2020: cross-entropy times the squared error.

    Args:
        logits: (B, 4, h, w).
        maps: (B, 4, h, w), 0..1.
        known: (B, h, w), 1 where there is truth.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, maps, reduction="none") * known[:, None]
    centres = maps[:, :2]
    error = (centres - torch.sigmoid(logits[:, :2])) ** 2
    focal = (entropy[:, :2] * error * (1 + 4 * centres)).sum() / (centres.sum() + 10)
    return focal + WEIGHTS["nuclei"] * entropy[:, 2].mean() + WEIGHTS["membrane"] * entropy[:, 3].mean()


def batch_of(fields: list[TrainingField], step: int) -> list[Tensor]:
    """Stains, maps and known pixels of step `step`, whatever was drawn before."""
    rng = np.random.default_rng([step, 0xCE11])
    examples = [draw_example(fields[int(rng.integers(len(fields)))], rng) for _ in range(BATCH)]
    columns = [[e.stains for e in examples], [e.maps for e in examples], [e.known for e in examples]]
    return [torch.from_numpy(np.stack(column)) for column in columns]


def train(fields: list[TrainingField], steps: int, bar: Progress) -> CellNetwork:
    """A network after `steps` steps of AdamW, its rate falling as a cosine."""
    torch.manual_seed(0)
    network = CellNetwork()
    init.constant_(network.head.bias, -3.0)
    network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    task = bar.add_task("training", total=steps)
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(batch_of, fields, step) for step in range(4)]
        for step in range(steps):
            stains, maps, known = waiting.pop(0).result()
            waiting.append(pool.submit(batch_of, fields, step + 4))
            for group in optimizer.param_groups:
                fall = 0.5 * (1 + math.cos(math.pi * step / steps))
                group["lr"] = RATE * min(1.0, step / WARM_UP) * fall + 1e-5
            loss = loss_of(network(stains.contiguous(memory_format=torch.channels_last)), maps, known)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.update(task, advance=1, description=f"training, loss {loss.item():.3f}")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    fields: list[TrainingField] = []
    with Progress() as bar:
        slides = [(cohort, number) for cohort in COHORTS for number in range(int(str(cohort["patients"])))]
        task = bar.add_task("simulating", total=len(slides))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            os.cpu_count(), context, initializer=cv2.setNumThreads, initargs=(1,)
        ) as pool:
            for of_slide in pool.map(fields_of_slide, *zip(*slides, strict=True)):
                fields.extend(of_slide)
                bar.update(task, advance=1)
        network = train(fields, options.steps, bar)
    notes = {
        "made_by": "recipes/build_cell_network.py",
        "data": "simulated",
        "cohorts": json.dumps(COHORTS),
        "fields": str(len(fields)),
        "steps": str(options.steps),
        "torch": torch.__version__,
    }
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, options.out, metadata=notes)
    print(f"{options.out}: {len(fields)} fields, {options.steps} steps")


if __name__ == "__main__":
    main()
