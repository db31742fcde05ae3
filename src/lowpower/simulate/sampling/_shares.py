"""Drawing shares of membrane classes that mean a HER2 score: over the whole definition, without gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from lowpower.simulate._her2_truth import CUTOFF, PRESENT, Score, score_from_shares

__all__ = ["BORDER", "Shares", "draw_shares", "is_border", "settled"]

Shares = tuple[float, float, float, float]
BORDER: Final = {"HER2": 0.15, "ER": 0.05, "PR": 0.08, "Ki-67": 0.15}
"""Share of slides that are border cases, unless told: rarer where most tumours stain all or nothing."""
_PATIENCE: Final = 10_000
_NEAR: Final = 0.02
"""Two points of a hundred: nearer to a 10 % cut-off readers and machines cannot be told right or wrong."""


def is_border(shares: Shares) -> bool:
    """Whether the score is a matter of few cells: two points from a 10 % cut-off, or about 1 % intense.

    Args:
        shares: Of tumour cells whose membrane is null, 1+, 2+, 3+.
    """
    _, faint, moderate, intense = shares
    complete = moderate + intense
    stained = faint + complete
    beside = {
        "0": (stained,),
        "1+": (stained, complete),
        "2+": (complete, intense),
        "3+": (intense,),
    }[score_from_shares(shares)]
    if any(abs(share - CUTOFF) <= _NEAR for share in beside):
        return True
    return complete <= CUTOFF and PRESENT / 2 <= intense <= 2 * PRESENT


def settled(
    rng: np.random.Generator,
    border: float,
    draw: Callable[[bool], Shares],
    test: Callable[[Shares], bool],
    meant: Callable[[Shares], bool],
) -> Shares:
    """What `draw` gives, a border case with the chance `border` and none otherwise.

    Args:
        rng: Source of randomness.
        border: Chance of a border case.
        draw: Draws shares, near a cut-off or anywhere.
        test: Whether shares are a border case.
        meant: Whether shares mean what is wanted; others are drawn again.

    Raises:
        ValueError: if nothing that is drawn means what is wanted.
    """
    near = bool(rng.random() < border)
    for _ in range(_PATIENCE):
        shares = draw(near)
        if meant(shares) and test(shares) == near:
            return shares
    raise ValueError(f"no shares {'near' if near else 'away from'} a cut-off mean what is wanted")


def draw_shares(rng: np.random.Generator, score: Score, border: float = BORDER["HER2"]) -> Shares:
    """Shares of tumour cells of membrane class 0..3 that mean `score`.

    Args:
        rng: Source of randomness.
        score: What they mean.
        border: Chance that the score is a matter of few cells (`is_border`); otherwise it is not.
    """

    def draw(near: bool) -> Shares:
        return _near(rng, score) if near else _anywhere(rng, score)

    def meant(shares: Shares) -> bool:
        return min(shares) >= 0 and score_from_shares(shares) == score

    return settled(rng, border, draw, is_border, meant)


def _closed(faint: float, moderate: float, intense: float) -> Shares:
    faint, moderate, intense = round(faint, 4), round(moderate, 4), round(intense, 4)
    return round(1 - faint - moderate - intense, 4), faint, moderate, intense


def _anywhere(rng: np.random.Generator, score: Score) -> Shares:
    faint = moderate = intense = 0.0
    if score == "0":
        faint = 0.0 if rng.random() < 0.5 else float(rng.uniform(0.002, 0.1))
    elif score == "1+":
        faint = float(rng.uniform(0.05, 0.95))
        moderate = float(rng.uniform(0.0, min(0.1, 1 - faint)))
    elif score == "2+":
        intense = 0.0 if rng.random() < 0.5 else float(rng.uniform(PRESENT, 0.1))
        low = 0.0 if intense and rng.random() < 0.15 else 0.1
        moderate = float(rng.uniform(low, 0.85))
        faint = float(rng.uniform(0.2, 0.9)) * (1 - moderate - intense)
    else:
        intense = float(0.1 + 0.88 * rng.beta(2.0, 1.0))
        moderate = float(rng.uniform(0.2, 0.9)) * (1 - intense)
        faint = float(rng.uniform(0.2, 0.9)) * (1 - intense - moderate)
    return _closed(faint, moderate, intense)


def _near(rng: np.random.Generator, score: Score) -> Shares:
    """Within two points of a cut-off, on the score's own side of it."""
    below = float(rng.uniform(CUTOFF - _NEAR, CUTOFF))
    above = float(rng.uniform(CUTOFF, CUTOFF + _NEAR))
    rest = float(rng.uniform(0.1, 0.9))
    few = float(rng.uniform(PRESENT, 2 * PRESENT))
    faint = moderate = intense = 0.0
    way = rng.random()
    if score == "0":
        moderate = 0.0 if way < 0.7 else float(rng.uniform(0, below))
        faint = below - moderate
    elif score == "1+" and way < 0.5:
        faint = above
    elif score == "1+":
        # Nearly enough of complete membranes, or of intense ones.
        intense = float(rng.uniform(0.5, 1)) * PRESENT if way < 0.65 else 0.0
        moderate = below - intense
        faint = rest * (1 - below)
    elif score == "2+" and way < 0.5:
        moderate, faint = above, rest * (1 - above)
    elif score == "2+":
        intense = below if way < 0.8 else few
        moderate = rest * (1 - intense) if way < 0.8 else float(rng.uniform(0, 0.07))
        faint = rest * (1 - intense - moderate)
    else:
        intense = above
        moderate = rest * (1 - intense)
        faint = float(rng.uniform(0.2, 0.9)) * (1 - intense - moderate)
    return _closed(faint, moderate, intense)
