"""ER, PR and Ki-67: which nuclei are brown, how strongly, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lowpower.simulate._simulation_spec import Marker, NuclearStain, SlideSpec
from lowpower.simulate._textures import Floats
from lowpower.simulate.stain._membrane_stain import by_rank, expression
from lowpower.simulate.tissue import KINDS, Architecture, Cells, NucleusLibrary
from lowpower.stain import allred, er_status, h_score, pr_status

__all__ = ["NUCLEAR_CONTROL", "STRENGTHS", "NuclearTruth", "chromogen", "nuclear_class", "stain_nuclei"]

NUCLEAR_CONTROL: Final = (0.08, 0.1, 0.22, 0.6)
"""Nuclear classes of on-slide control tissue."""
STRENGTHS: Final = (0.12, 0.34, 0.64)
"""Relative DAB (1 = the strongest) from which a nucleus reads as weakly, moderately, strongly stained."""
_STAINABLE: Final = ("tumour", "columnar", "normal", "crushed")
_GAP = 0.02
"""Nobody tells classes apart at the very border: no nucleus is made that near to it."""


_PALE = 0.7
"""Mean of a nucleus's evened stamp below which it lies out of the plane of focus."""


class NuclearTruth(BaseModel):
    """What the tumour nuclei of a simulated slide say, control tissue left out.

    Attributes:
        percent: Percent of tumour nuclei stained at any intensity (Ki-67: the labelling index).
        h_score: 1 x % weak + 2 x % moderate + 3 x % strong.
        allred: Proportion score, intensity score and their sum.
        status: Of ER (negative, low positive, positive) and PR (negative, positive); None for Ki-67.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: float
    h_score: float
    allred: tuple[int, int, int]
    status: Literal["negative", "low positive", "positive"] | None

    @classmethod
    def of(cls, marker: Marker, cells: pl.DataFrame) -> Self:
        """From a per-cell table with columns `type` and `class`.

        Raises:
            ValueError: if no tumour cell is in the table.
        """
        grades = cells.filter(pl.col("type") == "tumour")["class"].to_numpy()
        if len(grades) == 0:
            raise ValueError("a score needs tumour nuclei, the table has none")
        _, weak, moderate, strong = (np.bincount(grades, minlength=4) / len(grades)).tolist()
        percent = 100.0 * float(np.count_nonzero(grades)) / len(grades)
        score = allred(weak, moderate, strong)
        status = {"ER": er_status, "PR": pr_status}.get(marker)
        return cls(
            percent=percent,
            h_score=h_score(weak, moderate, strong),
            allred=(score.proportion, score.intensity, score.total),
            status=None if status is None else status(percent),
        )


def nuclear_class(amount: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0 none, 1 weak, 2 moderate, 3 strong, of relative DAB in nuclei (N,)."""
    return np.searchsorted(STRENGTHS, amount, side="right").astype(np.uint8)


def _status(shares: Sequence[float]) -> str:
    """On which side of 1, 10 and 20 % stained nuclei the shares lie."""
    stained = round(100 * (1 - shares[0]), 9)
    return er_status(stained) + (" high" if stained >= 20 else "")


def stain_nuclei(
    rng: np.random.Generator,
    spec: SlideSpec,
    stain: NuclearStain,
    plan: Architecture,
    cells: Cells,
    shares: tuple[float, float, float, float],
) -> None:
    """Fill `nuclear` of tumour cells and of normal epithelium, in place.

    Args:
        rng: Source of randomness.
        spec: The slide.
        stain: Its nuclear stain.
        plan: The piece's architecture.
        cells: All cells of the piece.
        shares: Shares of tumour nuclei stained not at all, weakly, moderately, strongly.
    """
    level = expression(rng, spec, plan, cells)
    low = np.array([0.0, *STRENGTHS], np.float32) + np.float32(_GAP)
    high = np.array([0.0, *STRENGTHS[1:], 1.0], np.float32) - np.float32(_GAP)
    low[0] = high[0] = 0.0
    normal = (1 - stain.normal, 0.3 * stain.normal, 0.4 * stain.normal, 0.3 * stain.normal)
    for kind, wanted in (("tumour", shares), ("normal", normal), ("in-situ", shares), ("crushed", shares)):
        chosen = np.flatnonzero(cells.kind == KINDS.index(kind))
        grade = by_rank(level[chosen], wanted, _status if kind == "tumour" else None)
        within = rng.random(len(chosen)).astype(np.float32)
        cells.nuclear[chosen] = low[grade] + (high - low)[grade] * within


@lru_cache(maxsize=4)
def chromogen(library: NucleusLibrary) -> NucleusLibrary:
    """Stamps of DAB for a library's epithelial nuclei, their mean inside the nucleus about 1.

    DAB fills a nucleus more evenly than haematoxylin does, and how much there is has nothing to do with how
    dark the chromatin is.
    """
    stamps = library.stamps
    return NucleusLibrary({kind: [_filled(turned) for turned in stamps[kind]] for kind in _STAINABLE})


def _filled(turned: list[Floats]) -> list[Floats]:
    even = [np.sqrt(stamp) for stamp in turned]
    inside = even[0][even[0] > 0.4 * even[0].max()]
    # Nuclei cut or out of focus look paler than they are, as they do in haematoxylin.
    return [np.asarray(stamp / max(float(inside.mean()), _PALE), np.float32) for stamp in even]
