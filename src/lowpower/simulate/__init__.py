"""Simulated HER2 IHC slides and cohorts, with the truth per cell. Never called real.

Start with `CohortSpec` and `simulate_cohort`, or `draw_slide` and `simulate_slide`.
"""

from lowpower.simulate._cohort import Member, cohort_members, simulate_cohort
from lowpower.simulate._draw import draw_laboratory, draw_scanner, draw_shares, draw_slide
from lowpower.simulate._score import CellScore, membrane_class, score_from_cells, score_from_shares
from lowpower.simulate._slide import simulate_slide
from lowpower.simulate._spec import CohortSpec, Laboratory, Scanner, SlideSpec
from lowpower.simulate._truth import SlideTruth, truth_path

__all__ = [
    "CellScore",
    "CohortSpec",
    "Laboratory",
    "Member",
    "Scanner",
    "SlideSpec",
    "SlideTruth",
    "cohort_members",
    "draw_laboratory",
    "draw_scanner",
    "draw_shares",
    "draw_slide",
    "membrane_class",
    "score_from_cells",
    "score_from_shares",
    "simulate_cohort",
    "simulate_slide",
    "truth_path",
]
