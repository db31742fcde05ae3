"""Gaps in membranes: blur fills them and uneven stain makes them, so that no score may hang on one reading.

Completeness is read once more, with paler stretches of a cell's own membrane taken for gaps: the more the
softer the image, since blur lends a gap the stain beside it. Where 1+ and 2+ change places, neither is sure.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import FieldCells
from lowpower.stain.rules._cutoffs import Her2Cutoffs, her2_of
from lowpower.stain.rules._measure_grade import RayTable
from lowpower.stain.rules._score_rules import Her2Score, Her2Shares
from lowpower.tissue import CHECKS, QCFlag

__all__ = ["gap_asked", "gap_quality", "read_with_gaps"]

_SHARP_UM, _SOFT_UM = 1.1, 1.45
_IN_SHARP, _IN_SOFT = 0.3, 0.5
"""Of a cell's own darker membrane, what is less is a gap, in images as sharp and as soft as that."""
_BLURRED_UM = 1.3
_LOWER: Final = ("0", "1+")


def gap_asked(edge_um: float | None) -> float:
    """Of a cell's own darker membrane, the share below which a stretch may be a gap.

    Chosen on real fields as they are and blurred by 0.15 to 0.7 um: 19 of 22 readings that lift a 1+ to 2+
    come to light. The price on simulated slides of 0.46 um/px: 4 of 19 that are 2+ or 3+ are doubted as they
    are, 8 of 19 when blurred by 0.5 um.

    Args:
        edge_um: Over how many microns nuclear edges rise (`StainScale.edge_um`); None if not known: soft.
    """
    if edge_um is None:
        return _IN_SOFT
    softness = np.clip((edge_um - _SHARP_UM) / (_SOFT_UM - _SHARP_UM), 0.0, 1.0)
    return float(_IN_SHARP + softness * (_IN_SOFT - _IN_SHARP))


def read_with_gaps(
    found: FieldCells,
    score: Her2Score,
    cutoffs: Her2Cutoffs,
    rendering: float,
    edge_um: float | None,
    weights: NDArray[np.float64] | None = None,
) -> Her2Score | None:
    """The score of the other reading, where it lies on the other side of 1+ | 2+; else None.

    Args:
        found: The counted cells.
        score: Theirs.
        cutoffs: When a membrane is stained, complete, intense.
        rendering: What the slide's optics show of a membrane, over what the usual slide's show.
        edge_um: Over how many microns nuclear edges rise; None if not known.
        weights: (N,) how many cells of the slide each stands for, where only some fields were read.
    """
    if score.score in _LOWER:  # the other reading finds no more complete membranes
        return None
    table = RayTable.of(found, rendering)
    shares = Her2Shares(*table.shares(cutoffs, gap_asked(edge_um), weights).tolist())
    other = her2_of(shares, len(found.xy), cutoffs)
    return other if other.score in _LOWER else None


def gap_quality(other: Her2Score | None, edge_um: float | None) -> tuple[QCFlag, ...]:
    """What is to be said where the other reading gives another score."""
    effect = CHECKS["gaps"].effect(float(other is not None))
    if other is None or effect is None:
        return ()
    if edge_um is None:
        why = "images of this resolution blur membranes"
    elif edge_um < _BLURRED_UM:
        why = "membranes are uneven"
    else:
        why = f"membranes are blurred (nuclear edges rise over about {edge_um:.1f} um)"
    message = (
        f"{why}, so that complete and incomplete cannot be told apart surely: with paler stretches taken for "
        f"gaps this is {other.score}, and whether it is at least 2+ is undetermined."
    )
    return (QCFlag("gaps", message, effect),)
