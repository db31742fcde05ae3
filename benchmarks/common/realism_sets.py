"""The two sets the realism benchmark simulates itself: 14 discs in the real cores' scores and um/px.

`randomised` is what a training cohort looks like: seven laboratories and three scanners drawn from their
whole ranges. It must be wider than one real laboratory, so part of its distance is meant to be there.
`matched` has one laboratory and one scanner near the real cores' own: what is left of the distance is tissue
that looks wrong.
"""

from __future__ import annotations

from pathlib import Path

from lowpower.engine import map_items
from lowpower.files import make_folder, write_text
from lowpower.simulate import (
    CohortSpec,
    Laboratory,
    Scanner,
    SlideSpec,
    draw_slide,
    simulate_cohort,
    simulate_slide,
)

__all__ = ["SETS", "make_set"]

SETS = ("randomised", "matched")

_RANDOMISED = CohortSpec(
    name="simulated-realism",
    seed=20,
    site_seed=20,
    scanner_seed=20,
    patients=14,
    second_slide=0.0,
    scores={"0": 2.0, "1+": 2.0, "2+": 3.0},
    sites=7,
    scanners=3,
    mpp=(0.25, 0.25),
    controls=0.0,
    artefacts=0.0,
)
_LABORATORY = Laboratory(
    name="simulated-like-the-cores",
    hematoxylin=(0.65, 0.625, 0.43),
    dab=(0.38, 0.565, 0.73),
    counterstain=0.22,
    cytoplasm=0.04,
    matrix=0.03,
    dab_strength=0.8,
    dab_background=0.005,
    blush=0.02,
    sharpness=0.6,
    relief=0.4,
)
_SCANNER = Scanner(
    name="simulated-like-the-cores",
    mpp=0.25,
    white=(235.0, 234.0, 243.0),
    psf_um=0.25,
    sharpen=1.1,
    sharpen_um=0.5,
    noise=1.0,
    jpeg_quality=90,
)


def make_set(name: str, folder: Path, workers: int) -> Path:
    """Simulate the set `name`, one of `SETS`.

    Returns:
        Path of its manifest.
    """
    if name == "randomised":
        return simulate_cohort(_RANDOMISED, folder, workers=workers)
    make_folder(folder / "slides")
    scores = ("0", "0", "1+", "1+", "2+", "2+", "2+") * 2
    specs = [draw_slide(2000 + i, score, _LABORATORY, _SCANNER) for i, score in enumerate(scores)]
    jobs = [(spec, folder / "slides" / f"simulated-matched-{i:02d}.tif") for i, spec in enumerate(specs)]
    map_items(_make, jobs, workers=workers)
    rows = [f"slides/{path.name},{path.stem},her2,{spec.score}" for spec, path in jobs]
    write_text(folder / "cohort.csv", "\n".join(["slide,patient,marker,score", *rows, ""]))
    return folder / "cohort.csv"


def _make(job: tuple[SlideSpec, Path]) -> None:
    simulate_slide(*job)
