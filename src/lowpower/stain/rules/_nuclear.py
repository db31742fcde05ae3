"""ER, PR and Ki-67: how brown each tumour nucleus is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import Floats
from lowpower.stain.rules._cutoffs import DEFAULT_CUTOFFS, NuclearCutoffs
from lowpower.stain.rules._score_rules import (
    AllredScore,
    allred,
    er_status,
    h_score,
    labelling_index,
    pr_status,
)

__all__ = ["NuclearMarker", "NuclearScore", "nuclear_grades", "nuclear_score", "nuclear_status"]

NuclearMarker = Literal["ER", "PR", "Ki-67"]
Status = Literal["negative", "low positive", "positive"]


@dataclass(frozen=True, slots=True)
class NuclearScore:
    """What a nuclear marker says.

    Attributes:
        percent: Percent of tumour nuclei stained; for Ki-67 the labelling index.
        bins: Shares of tumour nuclei stained not at all, weakly, moderately, strongly.
        h_score: 0..300.
        allred: Proportion and intensity.
        status: Of ER and PR; None for Ki-67.
    """

    percent: float
    bins: tuple[float, float, float, float]
    h_score: float
    allred: AllredScore
    status: Status | None


def nuclear_grades(
    dab: Floats, background: float, cutoffs: NuclearCutoffs = DEFAULT_CUTOFFS.nuclear
) -> NDArray[np.uint8]:
    """0 none, 1 weak, 2 moderate, 3 strong for nuclei of DAB OD `dab` (N,).

    Args:
        dab: DAB OD in each nucleus.
        background: DAB OD that nuclei which cannot be stained (stroma, lymphocytes) reach here.
        cutoffs: The laboratory's.
    """
    weak = max(cutoffs.weak_od, background)
    bounds = np.array([weak, max(cutoffs.moderate_od, 1.5 * weak), max(cutoffs.strong_od, 2.0 * weak)])
    return np.searchsorted(bounds, dab, side="right").astype(np.uint8)


def nuclear_status(marker: str, percent: float) -> Status | None:
    """ER's or PR's status at a percentage of stained tumour nuclei; None for other markers."""
    if marker == "ER":
        return er_status(percent)
    return pr_status(percent) if marker == "PR" else None


def nuclear_score(
    grades: NDArray[np.uint8], marker: NuclearMarker, weights: NDArray[np.float64] | None = None
) -> NuclearScore:
    """Score of the grades (N,) of tumour nuclei, each standing for `weights` (N,) of the slide's.

    Raises:
        ValueError: if there is no nucleus.
    """
    if len(grades) == 0:
        raise ValueError("a score needs tumour nuclei, there are none")
    counts = np.bincount(grades, weights, minlength=4)
    total = len(grades) if weights is None else counts.sum()
    none, weak, moderate, strong = (float(count / total) for count in counts)
    percent = labelling_index(counts[1:].sum(), total)
    return NuclearScore(
        percent,
        (none, weak, moderate, strong),
        h_score(weak, moderate, strong),
        allred(weak, moderate, strong),
        nuclear_status(marker, percent),
    )
