"""Score rules: from shares of cells to what a report says. Pure functions, no pixels.

Sources: HER2, ASCO/CAP guideline 2018, affirmed 2023; ER and PR, ASCO/CAP 2020; Allred 1998; H-score, McCarty
1985; surrogate subtype, St Gallen consensus 2013.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "HER2_CUTOFF",
    "HER2_FEWEST_INTENSE",
    "HER2_INTENSE_PRESENT",
    "AllredScore",
    "Her2Score",
    "Her2Shares",
    "Subtype",
    "allred",
    "er_status",
    "h_score",
    "her2_open_questions",
    "her2_score",
    "labelling_index",
    "pr_status",
    "subtype",
]

HER2_CUTOFF: Final = 0.10
"""Share of tumour cells that each HER2 cut-off asks to be exceeded."""
HER2_INTENSE_PRESENT: Final = 0.01
"""Share of tumour cells from which intense complete staining in <= 10 % counts as being there at all (2+)."""
HER2_FEWEST_INTENSE: Final = 10
"""Cells that must show it: one in fifty is more often a mistake than a finding."""

_KI67_HIGH: Final = 20.0
_PR_HIGH: Final = 20.0
_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Her2Shares:
    """Shares of tumour cells by membrane class; they sum to 1.

    Attributes:
        none: No membrane staining.
        faint_incomplete: Incomplete, or barely perceptible.
        moderate_complete: Complete, weak to moderate.
        intense_complete: Complete and intense.

    Raises:
        ValueError: if a share lies outside 0..1 or they do not sum to 1.
    """

    none: float
    faint_incomplete: float
    moderate_complete: float
    intense_complete: float

    def __post_init__(self) -> None:
        shares = self.as_tuple()
        if any(not 0.0 <= share <= 1.0 + _EPSILON for share in shares) or abs(sum(shares) - 1.0) > 1e-6:
            raise ValueError(f"four shares between 0 and 1 that sum to 1 are needed, got {shares}")

    def as_tuple(self) -> tuple[float, float, float, float]:
        """The four shares, from none to intense."""
        return self.none, self.faint_incomplete, self.moderate_complete, self.intense_complete

    @property
    def stained(self) -> float:
        """Share with any membrane staining."""
        return self.faint_incomplete + self.moderate_complete + self.intense_complete

    @property
    def complete(self) -> float:
        """Share with complete staining, weak to intense."""
        return self.moderate_complete + self.intense_complete

    @property
    def h_score(self) -> float:
        """Membrane H-score, 0..300: 1 x % faint + 2 x % moderate + 3 x % intense."""
        return h_score(self.faint_incomplete, self.moderate_complete, self.intense_complete)


Staining = Literal["stained", "complete", "intense_complete"]
"""What a cut-off is about: any membrane staining, complete staining, intense complete staining."""
_WORDS: Final[dict[str, str]] = {
    "stained": "any membrane staining",
    "complete": "complete staining",
    "intense_complete": "intense complete staining",
}


@dataclass(frozen=True, slots=True)
class Her2Score:
    """A HER2 score with what it rests on.

    Attributes:
        score: 0, 1+, 2+ or 3+.
        group: Of score 0 "null" (no stained cell) or "ultralow"; of the others "low" (1+),
            "equivocal" (2+: in-situ hybridisation decides) or "positive" (3+).
        decided_by: The share that decides: `stained`, `complete` or `intense_complete` of `Her2Shares`.
        share: Its value.
        cutoff: What it was held against.
        margin: `share` - `cutoff`; negative for score 0.
        nearest: The score that the smallest change of one share over its 10 % cut-off would give instead.
        distance: That change, a share of all tumour cells.
        needs: The staining that would have to change.
    """

    score: Literal["0", "1+", "2+", "3+"]
    group: Literal["null", "ultralow", "low", "equivocal", "positive"]
    decided_by: Staining
    share: float
    cutoff: float
    margin: float
    nearest: Literal["0", "1+", "2+", "3+"]
    distance: float
    needs: Staining

    def sentence(self) -> str:
        """The decision as one sentence."""
        side = "over" if self.margin > 0 else "not over" if self.margin < 0 or self.score == "0" else "from"
        return (
            f"{self.score} ({self.group}): {_WORDS[self.decided_by]} in {self.share:.1%} of tumour cells, "
            f"{side} {self.cutoff:.0%}; {self.nearest_sentence()}."
        )

    def nearest_sentence(self) -> str:
        """What a reader would have to see for the nearest other score."""
        more = "more" if self.nearest > self.score else "fewer"
        points = f"{100 * self.distance:.1f} percentage points {more}"
        return f"{points} with {_WORDS[self.needs]} would make it {self.nearest}"


def her2_score(
    shares: Her2Shares,
    *,
    cells: int | None = None,
    null_up_to: float = 0.0,
    intense_from: float = HER2_INTENSE_PRESENT,
    cutoffs: tuple[float, float, float] = (HER2_CUTOFF, HER2_CUTOFF, HER2_CUTOFF),
) -> Her2Score:
    """The ASCO/CAP rule.

    More than 10 % intense and complete: 3+. More than 10 % complete, or intense and complete in 10 % or
    fewer (from `intense_from` and `HER2_FEWEST_INTENSE` cells on): 2+. More than 10 % stained at all: 1+.
    Otherwise 0: null without a stained cell, else ultralow.

    Args:
        shares: Shares of tumour cells.
        cells: How many tumour cells there were; None where shares are exact.
        null_up_to: Share of stained cells that still counts as none: what measuring invents.
        intense_from: Share of intense complete cells that counts as being there, likewise.
        cutoffs: Shares that any, complete and intense complete staining must exceed: 10 % each; what is read
            by machine may need a laboratory's own (`lowpower calibrate`).

    Examples:
        >>> her2_score(Her2Shares(0.5, 0.2, 0.25, 0.05)).score
        '2+'
        >>> her2_score(Her2Shares(0.9, 0.1, 0.0, 0.0)).score  # 10 % is not more than 10 %
        '0'
    """
    any_cut, complete_cut, intense_cut = cutoffs
    intense, complete, stained = shares.intense_complete, shares.complete, shares.stained
    if intense > intense_cut:
        return Her2Score(
            "3+", "positive", "intense_complete", intense, intense_cut, intense - intense_cut,
            "2+", intense - intense_cut, "intense_complete",
        )  # fmt: skip
    up_to_3 = intense_cut - intense
    enough = cells is None or intense * cells > HER2_FEWEST_INTENSE - 0.5
    few = intense >= intense_from and enough
    if complete > complete_cut:
        margin = complete - complete_cut
        down = margin < up_to_3 and not few
        lower: Literal["0", "1+"] = "1+" if stained - margin > any_cut - _EPSILON else "0"
        return Her2Score(
            "2+", "equivocal", "complete", complete, complete_cut, margin, lower if down else "3+",
            margin if down else up_to_3, "complete" if down else "intense_complete",
        )  # fmt: skip
    if few:
        return Her2Score(
            "2+", "equivocal", "intense_complete", intense, intense_from, intense - intense_from,
            "3+", up_to_3, "intense_complete",
        )  # fmt: skip
    up_to_2 = complete_cut - complete
    if stained > any_cut:
        margin = stained - any_cut
        up = up_to_2 < margin
        return Her2Score(
            "1+", "low", "stained", stained, any_cut, margin, "2+" if up else "0",
            up_to_2 if up else margin, "complete" if up else "stained",
        )  # fmt: skip
    group: Literal["null", "ultralow"] = "null" if stained <= null_up_to else "ultralow"
    below = any_cut - stained
    return Her2Score("0", group, "stained", stained, any_cut, -below, "1+", below, "stained")


def her2_open_questions(
    score: Her2Score, shares: Her2Shares, strong_incomplete: float, invented: float = 0.0
) -> tuple[str, ...]:
    """What the guideline leaves open or to its comments on this slide: to be named, never scored in silence.

    Args:
        score: Of `shares`.
        shares: Shares of tumour cells.
        strong_incomplete: Share of tumour cells with incomplete but moderate to intense staining.
        invented: Share up to which measuring invents staining.

    Returns:
        `complete_in_few`: complete moderate staining in 10 % or fewer and nothing else, which no score
        describes; `strong_incomplete`: basolateral or U-shaped staining in more than 10 %, which may be
        called equivocal.
    """
    named = []
    if score.score == "0" and invented < shares.moderate_complete <= HER2_CUTOFF:
        named.append("complete_in_few")
    if score.score in ("0", "1+") and strong_incomplete > HER2_CUTOFF:
        named.append("strong_incomplete")
    return tuple(named)


def h_score(weak: float, moderate: float, strong: float) -> float:
    """H-score, 0..300, from shares (0..1) of weakly, moderately and strongly stained cells.

    Raises:
        ValueError: if a share lies outside 0..1 or they sum to more than 1.

    Examples:
        >>> h_score(0.25, 0.25, 0.5)
        225.0
    """
    _check_bins(weak, moderate, strong)
    return 100.0 * (weak + 2.0 * moderate + 3.0 * strong)


@dataclass(frozen=True, slots=True)
class AllredScore:
    """Allred score: proportion 0..5, intensity 0..3, total 0 or 2..8; 3 and above is positive."""

    proportion: int
    intensity: int

    @property
    def total(self) -> int:
        """Sum of both."""
        return self.proportion + self.intensity


def allred(weak: float, moderate: float, strong: float) -> AllredScore:
    """Allred score from shares (0..1) of weakly, moderately and strongly stained tumour nuclei.

    Proportion: 0 none; 1 below 1/100; 2 to 1/10; 3 to 1/3; 4 to 2/3; 5 above. Intensity: the mean of the
    stained nuclei, half rounded up.

    Raises:
        ValueError: if a share lies outside 0..1 or they sum to more than 1.

    Examples:
        >>> allred(0.0, 0.1, 0.6).total
        8
    """
    _check_bins(weak, moderate, strong)
    positive = weak + moderate + strong
    if positive <= 0.0:
        return AllredScore(0, 0)
    if positive < 0.01:
        proportion = 1
    else:
        proportion = 2 + sum(positive > bound + _EPSILON for bound in (0.1, 1 / 3, 2 / 3))
    mean = (weak + 2.0 * moderate + 3.0 * strong) / positive
    return AllredScore(proportion, math.floor(mean + 0.5))


def _check_bins(weak: float, moderate: float, strong: float) -> None:
    bins = (weak, moderate, strong)
    if any(not 0.0 <= share <= 1.0 + _EPSILON for share in bins) or sum(bins) > 1.0 + 1e-6:
        raise ValueError(f"three shares between 0 and 1 that sum to at most 1 are needed, got {bins}")


def er_status(percent: float) -> Literal["negative", "low positive", "positive"]:
    """ER status from the percentage of stained tumour nuclei: below 1, 1 to 10, above 10.

    Raises:
        ValueError: if `percent` lies outside 0..100.
    """
    _check_percent(percent)
    return "negative" if percent < 1.0 else "low positive" if percent <= 10.0 else "positive"


def pr_status(percent: float) -> Literal["negative", "positive"]:
    """PR status from the percentage of stained tumour nuclei: positive from 1 on.

    Raises:
        ValueError: if `percent` lies outside 0..100.
    """
    _check_percent(percent)
    return "negative" if percent < 1.0 else "positive"


def labelling_index(positive: float, total: float) -> float:
    """Ki-67 labelling index: percent of tumour nuclei stained at any intensity.

    Raises:
        ValueError: if there is no nucleus, or more stained ones than nuclei.
    """
    if total <= 0 or not 0 <= positive <= total:
        raise ValueError(
            f"a labelling index needs 0 <= stained <= nuclei and a nucleus, got {positive} of {total}"
        )
    return 100.0 * positive / total


Subtype = Literal[
    "luminal A-like",
    "luminal B-like HER2-negative",
    "luminal B-like HER2-positive",
    "luminal, HER2-negative (A or B)",
    "HER2-positive non-luminal",
    "triple negative",
    "not determined: HER2 equivocal",
]
"""Surrogate subtypes."""


def subtype(
    er: float,
    pr: float,
    her2: Literal["negative", "positive", "equivocal"],
    ki67: float | None = None,
) -> Subtype:
    """Surrogate subtype (St Gallen 2013).

    Luminal A-like asks for ER, PR of at least 20 %, HER2 negative and Ki-67 below 20 %: a tumour that lacks
    another of these is B-like without Ki-67 too. A tumour with PR but without ER, which the consensus leaves
    open, counts as luminal.

    Args:
        er: Percent of tumour nuclei stained for ER; positive from 1 on.
        pr: The same for PR.
        her2: Status; "equivocal" is 2+ without in-situ hybridisation.
        ki67: Labelling index in percent; None where it was not done.

    Raises:
        ValueError: if a percentage lies outside 0..100.

    Examples:
        >>> subtype(er=95, pr=60, her2="negative", ki67=8)
        'luminal A-like'
    """
    for percent in (er, pr) if ki67 is None else (er, pr, ki67):
        _check_percent(percent)
    if her2 == "equivocal":
        return "not determined: HER2 equivocal"
    luminal = er >= 1.0 or pr >= 1.0
    if her2 == "positive":
        return "luminal B-like HER2-positive" if luminal else "HER2-positive non-luminal"
    if not luminal:
        return "triple negative"
    if er < 1.0 or pr < _PR_HIGH:
        return "luminal B-like HER2-negative"
    if ki67 is None:
        return "luminal, HER2-negative (A or B)"
    return "luminal A-like" if ki67 < _KI67_HIGH else "luminal B-like HER2-negative"


def _check_percent(percent: float) -> None:
    if not 0.0 <= percent <= 100.0:
        raise ValueError(f"a percentage lies between 0 and 100, got {percent}")
