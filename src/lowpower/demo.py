"""The demo: a simulated laboratory fine-tunes the bundled model, then meets another laboratory's slides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from lowpower.cohort import read_cohort, scheme_of, slide_inputs
from lowpower.engine import default_workers
from lowpower.experiments import evaluate_run, train_run
from lowpower.files import make_folder, write_text
from lowpower.models import load_bundle
from lowpower.reports import Elsewhere, Example, answer_sentences, elsewhere_sentence, write_run_report
from lowpower.scoring import Result, score_files
from lowpower.simulate import CohortSpec, Specimen, simulate_cohort

__all__ = ["DemoOutcome", "DemoSize", "run_demo"]

_OWN, _OTHER = 1, 17  # seeds of the two laboratories, an ordinary one and one of darker stain
_UNUSUAL = 0.2  # share of slides whose tissue is hard to read
_START = "her2-sim"


@dataclass(frozen=True)
class DemoSize:
    """How much the demo does.

    Attributes:
        patients: Simulated patients of the laboratory; some have two slides.
        epochs: Training epochs at most.
        seed: Of patients, folds and training; the laboratories stay.
        elsewhere: Slides of another laboratory.
        specimen: Size of the tissue.
    """

    patients: int = 120
    epochs: int = 6
    seed: int = 0
    elsewhere: int = 12
    specimen: Specimen = "disc"


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo made.

    Attributes:
        report: report.html, self-contained.
        sentences: How good, where sure, where not, and what changed on another laboratory's slides.
    """

    report: Path
    sentences: tuple[str, ...]


def run_demo(
    out: str | Path, size: DemoSize, progress: Callable[[str, int, int], None] | None = None
) -> DemoOutcome:
    """Simulate a laboratory, fine-tune the bundled model, evaluate, score, report. Goes on where it stopped.

    Args:
        out: Folder for everything.
        size: How much to do.
        progress: Called with (stage, done, total).
    """
    out = make_folder(out)
    report = progress or (lambda stage, done, total: None)

    def stage(name: str) -> Callable[[int, int], None]:
        return lambda done, total: report(name, done, total)

    timings: dict[str, float] = {}
    with _timed(timings, "simulating"):
        manifest = _simulate(out / "cohort", size, _OWN, stage("simulating"))
        other = _simulate(out / "elsewhere", size, _OTHER, stage("simulating elsewhere"))
    config_path = out / "demo.yaml"
    write_text(config_path, _config_text(manifest.relative_to(out), size))
    with _timed(timings, "views, fine-tuning, measuring and calibration"):
        run = train_run(config_path, progress=report)
    with _timed(timings, "evaluating"):
        outcome = evaluate_run(run.folder, progress=stage("evaluating"))
    bundle, scheme = load_bundle(run.bundle), scheme_of("her2_four")
    chosen = _one_slide_per_class(outcome.predictions, read_cohort(manifest).table)
    with _timed(timings, "scoring four examples, and another laboratory's slides"):
        results = score_files(
            [path for path, _ in chosen],
            model=bundle,
            out=out / "scored",
            on_result=lambda _, done, total: report("scoring", done, total),
        )
        away = score_files(
            [other],
            model=bundle,
            out=out / "scored-elsewhere",
            on_result=lambda _, done, total: report("scoring elsewhere", done, total),
        )
    elsewhere = _elsewhere(other, list(away))
    sentences = (
        *answer_sentences(outcome.evaluation, outcome.answers, bundle.decision),
        elsewhere_sentence(elsewhere),
    )
    examples = [
        Example(result, scheme.classes[label])
        for result, (_, label) in zip(results, chosen, strict=True)
        if result.state == "ok"
    ]
    page = write_run_report(
        outcome,
        headline=sentences,
        examples=examples,
        elsewhere=elsewhere,
        timings=timings,
        target=out / "report.html",
    )
    return DemoOutcome(page, sentences)


def _simulate(folder: Path, size: DemoSize, laboratory: int, progress: Callable[[int, int], None]) -> Path:
    """The manifest of one laboratory with its own stain and two scanners."""
    own = laboratory == _OWN
    spec = CohortSpec(
        name="simulated-demo" if own else "simulated-elsewhere",
        patients=size.patients if own else size.elsewhere,
        second_slide=0.1 if own else 0.0,
        seed=size.seed if own else size.seed + 1,
        sites=1,
        site_seed=laboratory,
        scanners=2,
        scanner_seed=laboratory,
        mpp=(0.5, 0.5),
        wide=_UNUSUAL,
        specimens={size.specimen: 1.0},
    )
    return simulate_cohort(spec, folder, workers=default_workers(), progress=progress)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - started


def _config_text(manifest: Path, size: DemoSize) -> str:
    """The bundled model goes on learning, on the laboratory's own slides: what a user would do."""
    start = load_bundle(_START)
    assert start.spec.architecture is not None  # it is a slide network
    config = {
        "name": "her2-demo",
        "cohort": manifest.as_posix(),
        "scheme": start.scheme.name,
        "out": "run",
        "seed": size.seed,
        "threads": None,
        "folds": {"outer": 4, "fold": 0, "validation_share": 0.25, "seed": size.seed},
        "pretrained": _START,
        "view": {"mpp": float(start.recipe.mpp)},
        "model": start.spec.architecture.model_dump(mode="json", exclude_defaults=True),
        "augmentation": {"hematoxylin": 0.3, "dab": 0.12, "haze": 0.02, "vectors": 0.04},
        "fitting": {"epochs": size.epochs, "patience": 4, "crop": 224, "learning_rate": 5e-4},
        "bundle": {
            "error": 0.15,  # what some 90 validation patients can vouch for
            "trained_on": f"{size.patients} simulated patients of one simulated laboratory, nothing real.",
            "description": "Made by `lowpower demo` in minutes: shows the path, not what the method can do.",
        },
    }
    return yaml.safe_dump(config, sort_keys=False)


def _one_slide_per_class(predictions: pl.DataFrame, table: pl.DataFrame) -> list[tuple[str, int]]:
    """The first test slide of each class, as (path, label): not the best one."""
    first = predictions.sort("slide").group_by("label", maintain_order=True).first().sort("label")
    return [(table["slide"][row], label) for row, label in first.select("row", "label").iter_rows()]


def _elsewhere(manifest: Path, results: list[Result]) -> tuple[Elsewhere, ...]:
    labels = {str(slide.path): slide.score or "" for slide in slide_inputs([manifest])}
    return tuple(Elsewhere(result, labels[str(result.file)]) for result in results)
