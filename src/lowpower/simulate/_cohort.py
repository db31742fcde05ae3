"""A cohort of simulated slides: which patients, which laboratories, and the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lowpower.engine import map_items
from lowpower.errors import ConfigError
from lowpower.files import make_folder, write_json, write_text
from lowpower.simulate._make_slide import simulate_slide
from lowpower.simulate._simulation_spec import CohortSpec, Ish, SlideSpec, Specimen
from lowpower.simulate._truth import SlideTruth, truth_path
from lowpower.simulate.sampling import (
    BORDER,
    USUAL_STATUSES,
    draw_laboratory,
    draw_nuclear_slide,
    draw_scanner,
    draw_slide,
)

__all__ = ["Member", "cohort_members", "simulate_cohort"]

_NAMES = ("0", "1+", "2+", "3+", "negative", "low positive", "positive")


@dataclass(frozen=True, slots=True)
class Member:
    """One slide of a cohort: file name, patient, block and what to simulate."""

    file: str
    patient: str
    block: str
    spec: SlideSpec


def _apportioned(weights: list[float], count: int) -> list[int]:
    """`count` indices in the proportions of `weights` (largest remainders), in order."""
    exact = np.array(weights) / sum(weights) * count
    whole = np.floor(exact).astype(int)
    for index in np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]:
        whole[index] += 1
    return np.repeat(np.arange(len(weights)), whole).tolist()


def cohort_members(spec: CohortSpec) -> list[Member]:
    """Every slide of a cohort, decided but not rendered."""
    rng = np.random.default_rng([spec.seed, 0xC0])
    laboratories = [draw_laboratory(spec.site_seed, index, spec.wide) for index in range(spec.sites)]
    scanners = [draw_scanner(spec.scanner_seed, index, spec.mpp, spec.wide) for index in range(spec.scanners)]
    owned = np.random.default_rng([spec.site_seed, spec.scanner_seed, 0x0B])
    uses = [owned.integers(0, spec.scanners, 2) for _ in range(spec.sites)]
    wanted: dict[Any, float] = dict(spec.scores)
    draw: Callable[..., SlideSpec] = draw_slide
    if spec.marker != "HER2":
        wanted = dict(spec.statuses or USUAL_STATUSES[spec.marker])
        draw = partial(draw_nuclear_slide, marker=spec.marker)
    names = [name for name in _NAMES if wanted.get(name, 0) > 0]
    scores = [names[i] for i in _apportioned([wanted[name] for name in names], spec.patients)]
    scores = [scores[i] for i in rng.permutation(spec.patients)]
    kinds = list(spec.specimens)
    weights = np.array([spec.specimens[kind] for kind in kinds], float)
    members = []
    for patient, score in enumerate(scores):
        ish: Ish | None = None
        if score == "2+":
            ish = "positive" if rng.random() < spec.ish_positive else "negative"
        site = int(rng.integers(spec.sites))
        for block in range(2 if rng.random() < spec.second_slide else 1):
            specimen: Specimen = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
            name = f"{spec.name}-{patient + 1:04d}"
            slide = draw(
                int(rng.integers(2**48)), score, laboratories[site], scanners[int(rng.choice(uses[site]))],
                specimen=specimen, ish=ish, control=bool(rng.random() < spec.controls),
                artefacts=bool(rng.random() < spec.artefacts), wide=spec.wide,
                border=BORDER[spec.marker] if spec.border is None else spec.border,
            )  # fmt: skip
            members.append(Member(f"{name}-{'AB'[block]}.tif", name, "AB"[block], slide))
    return members


def _finished(path: Path, spec: SlideSpec) -> bool:
    """Whether the slide is there and was made from this very spec."""
    if not path.exists() or not truth_path(path).exists():
        return False
    try:
        return SlideTruth.read(truth_path(path)).spec == spec
    except ConfigError:
        return False


def _percent(slide: Path) -> str:
    """What the truth of a nuclear marker's slide says, as manifests write it."""
    truth = SlideTruth.read(truth_path(slide)).nuclear
    assert truth is not None  # slides without a score are those of nuclear markers
    return f"{truth.percent:.2f}"


def _control(slide: Path) -> str:
    """What the truth of a slide says of its control tissue, as manifests write it."""
    mask = SlideTruth.read(truth_path(slide)).control_mask
    return "none" if mask is None else f"{slide.parent.name}/{mask}"


def _make(job: tuple[str, SlideSpec]) -> str:
    simulate_slide(job[1], job[0])
    return job[0]


def simulate_cohort(
    spec: CohortSpec,
    folder: str | Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Simulate a cohort; go on where an earlier run stopped.

    A slide whose truth file holds the very spec asked for is not made again. The manifest is written
    last. The files are the same bytes whatever the number of workers.

    Args:
        spec: What to simulate.
        folder: Where to; made if absent.
        workers: Processes that simulate slides side by side.
        progress: Called with (slides finished, slides in all) at the start and after each slide.

    Returns:
        Path of `cohort.csv` with columns slide, patient, marker, score, ish, mpp, site, scanner, block, and
        control: the mask of the on-slide control, or none.

    Raises:
        OutputError: if a file cannot be written.
    """
    folder = make_folder(folder)
    slides = make_folder(folder / "slides")
    members = cohort_members(spec)
    jobs = [(str(slides / m.file), m.spec) for m in members if not _finished(slides / m.file, m.spec)]
    there, total = len(members) - len(jobs), len(members)
    report = progress or (lambda done, total: None)
    map_items(
        _make,
        jobs,
        workers=workers,
        writes=[slides],
        progress=lambda done, _: report(there + done, total),
    )
    table = pl.DataFrame(
        {
            "slide": [f"slides/{m.file}" for m in members],
            "patient": [m.patient for m in members],
            "marker": [spec.marker.lower()] * total,
            "score": [m.spec.score or _percent(slides / m.file) for m in members],
            "ish": [m.spec.ish or "" for m in members],
            "mpp": [m.spec.scanner.mpp for m in members],
            "site": [m.spec.laboratory.name for m in members],
            "scanner": [m.spec.scanner.name for m in members],
            "block": [m.block for m in members],
            "control": [_control(slides / m.file) for m in members],
        }
    )
    write_json(folder / "cohort_spec.json", spec.model_dump(mode="json"))
    write_text(folder / "cohort.csv", table.write_csv())
    return folder / "cohort.csv"
