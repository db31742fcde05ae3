"""Builds the network that finds nuclei and membranes (`lowpower.stain`) from nothing: simulate, train, save.

    python recipes/build_cell_network.py [--work runs/cells] [--out FILE.safetensors]

No real slide is read, and no slide of a test or a benchmark: those draw their laboratories from other seeds.
One thread trains, so that the same machine gives the same bytes again; about an hour on two cores. Fields and
checkpoints lie in `--work`: the same command goes on where a killed one stopped.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from cell_fields import COHORTS, TrainingField, cache_key, draw_example, fields_of_slide
from rich.progress import Progress
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional, init

from lowpower.files import atomic_path
from lowpower.stain.cells._cell_network import CellNetwork

TARGET = Path(__file__).resolve().parents[1] / "src" / "lowpower" / "stain" / "cell_network.safetensors"
BATCH = 16
STAGES = ((6000, 3e-3), (3000, 1e-3))
"""Steps and highest rate: first with stains and cameras of every kind, then settling with milder ones."""
WARM_UP = 50
AVERAGED = 0.998
"""Of each step's weights the rest goes into the running average that is saved."""
KEPT_EVERY = 250
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


def batch_of(fields: list[TrainingField], stage: int, step: int) -> list[Tensor]:
    """Stains, maps and known pixels of step `step`, whatever was drawn before."""
    rng = np.random.default_rng([stage, step, 0xCE11])
    examples = [draw_example(fields[int(rng.integers(len(fields)))], rng, stage > 0) for _ in range(BATCH)]
    columns = [[e.stains for e in examples], [e.maps for e in examples], [e.known for e in examples]]
    return [torch.from_numpy(np.stack(column)) for column in columns]


def train(
    fields: list[TrainingField], stage: int, begin_with: CellNetwork | None, checkpoint: Path, bar: Progress
) -> CellNetwork:
    """The averaged network after one stage of AdamW, its rate falling as a cosine."""
    steps, rate = STAGES[stage]
    torch.manual_seed(stage)
    network = CellNetwork()
    init.constant_(network.head.bias, -3.0)
    if begin_with is not None:
        network.load_state_dict(begin_with.state_dict())
    network.to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    begin = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        begin = state["step"]
        for part, name in ((network, "network"), (average, "average"), (optimizer, "optimizer")):
            part.load_state_dict(state[name])
    task = bar.add_task("training", total=steps, completed=begin)
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(batch_of, fields, stage, step) for step in range(begin, begin + 4)]
        for step in range(begin, steps):
            stains, maps, known = waiting.pop(0).result()
            waiting.append(pool.submit(batch_of, fields, stage, step + 4))
            for group in optimizer.param_groups:
                fall = 0.5 * (1 + math.cos(math.pi * step / steps))
                group["lr"] = rate * min(1.0, step / WARM_UP) * fall + 1e-5
            loss = loss_of(network(stains.contiguous(memory_format=torch.channels_last)), maps, known)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _follow(average, network, min(AVERAGED, (step + 1) / (step + 10)))
            if (step + 1) % KEPT_EVERY == 0 or step + 1 == steps:
                parts = {"network": network, "average": average, "optimizer": optimizer}
                state = {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1}
                with atomic_path(checkpoint) as temporary:
                    torch.save(state, temporary)
            bar.update(task, advance=1, description=f"training, loss {loss.item():.3f}")
    return average


def _follow(average: CellNetwork, network: CellNetwork, kept: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - kept)


def fields_of(work: Path, bar: Progress) -> list[TrainingField]:
    """The fields of all cohorts, simulated in processes, or read back where they were made before."""
    slides = [(cohort, number) for cohort in COHORTS for number in range(int(str(cohort["patients"])))]
    task = bar.add_task("simulating", total=len(slides))
    files = [work / f"{cohort['seed']}-{number}.pickle" for cohort, number in slides]
    missing = [index for index, file in enumerate(files) if not file.exists()]
    bar.update(task, advance=len(slides) - len(missing))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        made = (
            pool.map(fields_of_slide, *zip(*(slides[index] for index in missing), strict=True))
            if missing
            else []
        )
        for index, of_slide in zip(missing, made, strict=True):
            with atomic_path(files[index]) as temporary:
                temporary.write_bytes(pickle.dumps(of_slide))
            bar.update(task, advance=1)
    return [field for file in files for field in pickle.loads(file.read_bytes())]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("runs/cells"), help="fields and checkpoints")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    work = options.work / cache_key()
    work.mkdir(parents=True, exist_ok=True)
    with Progress() as bar:
        fields = fields_of(work, bar)
        network = None
        for stage in range(len(STAGES)):
            network = train(fields, stage, network, work / f"stage-{stage}.pt", bar)
    assert network is not None
    notes = {
        "made_by": "recipes/build_cell_network.py",
        "data": "simulated",
        "cohorts": json.dumps(COHORTS),
        "fields": str(len(fields)),
        "simulator": cache_key(),
        "steps": str(sum(steps for steps, _ in STAGES)),
        "torch": torch.__version__,
    }
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, options.out, metadata=notes)
    print(f"{options.out}: {len(fields)} fields, {notes['steps']} steps")


if __name__ == "__main__":
    main()
