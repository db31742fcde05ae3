"""Do manifest, check, folds, audit and report stay linear in the number of slides? And Ray's workers.

    python benchmarks/scale.py [--slides 100 1000 10000]
    python benchmarks/scale.py --ray

Slides are small pictures, each another one (check opens them all); predictions are made up: what is timed is
what grows with a cohort and runs in one process. Beside the seconds of each stage stands the exponent from
one number of slides to the next: 1 is linear, 2 quadratic. `--ray` times the same unthreaded work on one and
on two workers of this machine, in turn, and prints the ratio.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from lowpower.cohort import audit_leakage, check_cohort, make_folds, read_cohort, write_manifest
from lowpower.engine import map_items, run_on
from lowpower.reports import evaluate_table

SCORES = ("0", "1+", "2+", "3+")


def made(folder: Path, slides: int) -> Path:
    """A manifest of so many small pictures."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(slides):
        coarse = rng.integers(60, 250, (8, 8, 3), np.uint8)
        cv2.imwrite(
            str(folder / f"{number}.png"), cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
        )
        rows.append(
            {"slide": f"{number}.png", "patient": f"P{number * 4 // 5}", "marker": "HER2",
             "score": SCORES[number * 4 // 5 % 4], "mpp": 2.0}
        )  # fmt: skip
    return write_manifest(folder / "cohort.csv", rows)


def predicted(folder: Path, slides: int) -> Path:
    """A table of made-up probabilities."""
    rng = np.random.default_rng(1)
    labels = rng.integers(4, size=slides)
    shares = rng.dirichlet(np.ones(4), slides) + 0.6 * np.eye(4)[labels]
    shares /= shares.sum(1, keepdims=True)
    lines = ["slide,patient,label,p_0,p_1+,p_2+,p_3+"]
    for number, (label, row) in enumerate(zip(labels, shares, strict=True)):
        lines.append(f"{number}.svs,P{number},{SCORES[label]}," + ",".join(f"{value:.6f}" for value in row))
    path = folder / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def stages(slides: int) -> dict[str, float]:
    """Seconds of each stage."""
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        outcome = work()
        spent[name] = time.perf_counter() - started
        return outcome

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = made(folder, slides)
        cohort = timed("manifest", lambda: read_cohort(manifest))
        timed("check", lambda: check_cohort(manifest))
        folds = timed("folds", lambda: make_folds(cohort, "her2_four"))
        timed("audit", lambda: audit_leakage(cohort, folds))
        table = predicted(folder, slides)
        timed("report", lambda: evaluate_table(table, out=folder / "report"))
    return spent


BUSY = partial(hashlib.pbkdf2_hmac, "sha256", b"lowpower", b"scale")
"""Unthreaded work that any worker can import; of its item, rounds of hashing."""


def on_ray(rounds: int) -> None:
    """Seconds of the same items on one and on two workers."""
    ray = importlib.import_module("ray")
    spent: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers in (1, 2):
            ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
            with run_on("ray"):
                map_items(BUSY, [1000] * workers)  # its workers have started
                started = time.perf_counter()
                map_items(BUSY, [2_000_000] * 16)
                spent[workers].append(time.perf_counter() - started)
            ray.shutdown()
    ratios = [one / two for one, two in zip(spent[1], spent[2], strict=True)]
    told = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"two Ray workers over one, unthreaded work: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--ray", action="store_true")
    options = parser.parse_args()
    if options.ray:
        on_ray(3)
        return
    before: tuple[int, dict[str, float]] | None = None
    for slides in options.slides:
        spent = stages(slides)
        told = []
        for name, seconds in spent.items():
            steps = ""
            if before is not None:
                rise = math.log(seconds / before[1][name]) / math.log(slides / before[0])
                steps = f" (exponent {rise:.2f})"
            told.append(f"{name} {seconds:.2f} s{steps}")
        memory = psutil.Process().memory_info().rss / 1e9
        print(f"{slides} slides: {', '.join(told)}; {memory:.2f} GB", flush=True)
        before = slides, spent


if __name__ == "__main__":
    main()
