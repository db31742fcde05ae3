"""Simulated IHC slides and cohorts (HER2, ER, PR, Ki-67), with the truth per cell. Never called real.

Start with `CohortSpec` and `simulate_cohort`, or `draw_slide` and `simulate_slide`.
"""

from lowpower.simulate._appearance import Laboratory, NuclearStain, Scanner
from lowpower.simulate._cohort import cohort_members, simulate_cohort
from lowpower.simulate._field import Field, field_around, render_field
from lowpower.simulate._her2_truth import Score, membrane_class, score_from_cells, score_from_shares
from lowpower.simulate._make_slide import plan_slide, simulate_slide
from lowpower.simulate._sample_slide import sample
from lowpower.simulate._simulation_spec import Artefact, CohortSpec, SlideSpec, Specimen
from lowpower.simulate._truth import SlideTruth, truth_path
from lowpower.simulate.sampling import (
    draw_laboratory,
    draw_nuclear_shares,
    draw_nuclear_slide,
    draw_scanner,
    draw_shares,
    draw_slide,
    is_border,
    is_nuclear_border,
)
from lowpower.simulate.scanner import Artefacts
from lowpower.simulate.stain import NuclearTruth, nuclear_class

__all__ = [
    "Artefact",
    "Artefacts",
    "CohortSpec",
    "Field",
    "Laboratory",
    "NuclearStain",
    "NuclearTruth",
    "Scanner",
    "Score",
    "SlideSpec",
    "SlideTruth",
    "Specimen",
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
