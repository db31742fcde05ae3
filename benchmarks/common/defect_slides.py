"""Simulated slides with one defect each, and where it lies, for counting what is found and what is false."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate import (
    Artefacts,
    Score,
    SlideTruth,
    draw_laboratory,
    draw_scanner,
    draw_slide,
    simulate_slide,
    truth_path,
)
from lowpower.slides import open_slide

MPP = 2.0
DEFECTS = ("none", "fold", "bubble", "blur", "pen")
SITES = 9
_DEVELOPED_ON = 3
"""Laboratories; the first of them served for development."""
_DRAWN = "defects-2"
"""Folder in the cache: a new one whenever the simulator draws defects differently."""
_LEAST = {"pen": 0.3, "fold": 0.5, "blur": 0.5, "bubble": 0.0}


@dataclass(frozen=True)
class DefectSlide:
    """A simulated slide and the truth about its defect.

    Attributes:
        path: The slide.
        defect: One of `DEFECTS`.
        score: Its HER2 score.
        where: (h, w) bool at 8 um/px, where the defect lies; all False without one.
    """

    path: Path
    defect: str
    score: str
    where: NDArray[np.bool_]


def defect_slides(folder: Path, *, held_out: bool) -> Iterator[DefectSlide]:
    """Slides of 5 x 2 mm at 2 um/px; simulated where `folder` does not hold them (3 s each)."""
    folder = folder / _DRAWN
    folder.mkdir(parents=True, exist_ok=True)
    sites = range(_DEVELOPED_ON, SITES) if held_out else range(_DEVELOPED_ON)
    for site in sites:
        for index, score in enumerate(get_args(Score)):
            for number, defect in enumerate(DEFECTS):
                yield _slide(folder, site, index, score, number, defect)


def _slide(folder: Path, site: int, index: int, score: Score, number: int, defect: str) -> DefectSlide:
    path = folder / f"{defect}-{site}-{index}.tif"
    if not truth_path(path).exists():
        spec = draw_slide(
            20_000 + 1000 * site + 10 * index + number, score, draw_laboratory(77, site),
            draw_scanner(77, site % 5, (MPP, MPP)), specimen="fragment",
        )  # fmt: skip
        wrong = () if defect == "none" else (defect,)
        simulate_slide(type(spec).model_validate({**spec.model_dump(), "artefacts": wrong}), path)
    with open_slide(path) as slide:
        size = slide.size
    plan = Artefacts(SlideTruth.read(truth_path(path)).spec, size)
    return DefectSlide(path, defect, score, _where(plan, defect, size))


def _where(plan: Artefacts, defect: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the plan of a slide's artefacts, at 8 um/px, has one."""
    fields = {"pen": plan._ink, "fold": plan._fold, "blur": plan._defocus, "bubble": plan._bubbles}
    field = fields.get(defect)
    if field is None:
        return np.zeros((int(size[1] * MPP / 8.0) + 2, int(size[0] * MPP / 8.0) + 2), bool)
    return np.asarray(field > _LEAST[defect])
