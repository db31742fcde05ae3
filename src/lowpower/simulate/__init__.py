"""Simulated IHC slides and cohorts (HER2, ER, PR, Ki-67), with the truth per cell. Never called real.

Start with `CohortSpec` and `simulate_cohort`, or `draw_slide` and `simulate_slide`.
"""

from lowpower.simulate._cohort import Member, cohort_members, simulate_cohort
from lowpower.simulate._draw import draw_laboratory, draw_scanner, draw_slide
from lowpower.simulate._draw_nuclear import draw_nuclear_shares, draw_nuclear_slide, is_nuclear_border
from lowpower.simulate._field import Field, field_around, render_field
from lowpower.simulate._nuclear_stain import NuclearTruth, nuclear_class
from lowpower.simulate._sample_slide import sample
from lowpower.simulate._score import CellScore, membrane_class, score_from_cells, score_from_shares
from lowpower.simulate._shares import draw_shares, is_border
from lowpower.simulate._slide import Plan, plan_slide, simulate_slide
from lowpower.simulate._spec import CohortSpec, Laboratory, Marker, NuclearStain, Scanner, SlideSpec, Status
from lowpower.simulate._truth import SlideTruth, truth_path

__all__ = [
    "CellScore",
    "CohortSpec",
    "Field",
    "Laboratory",
    "Marker",
    "Member",
    "NuclearStain",
    "NuclearTruth",
    "Plan",
    "Scanner",
    "SlideSpec",
    "SlideTruth",
    "Status",
    "cohort_members",
    "draw_laboratory",
    "draw_nuclear_shares",
    "draw_nuclear_slide",
    "draw_scanner",
    "draw_shares",
    "draw_slide",
    "field_around",
    "is_border",
    "is_nuclear_border",
    "membrane_class",
    "nuclear_class",
    "plan_slide",
    "render_field",
    "sample",
    "score_from_cells",
    "score_from_shares",
    "simulate_cohort",
    "simulate_slide",
    "truth_path",
]
