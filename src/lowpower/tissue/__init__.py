"""Where a slide's tissue is: found alike whether pale score 0 or dark 3+, against the slide's own glass."""

from lowpower.tissue._checks import CHECKS
from lowpower.tissue._damaged import damage_flags, refuse_damaged
from lowpower.tissue._find import find_tissue
from lowpower.tissue._layers import LAYERS, measurable, quality_features, quality_map, write_quality_geojson
from lowpower.tissue._picture import paint_layers
from lowpower.tissue._types import Control, Group, MaskNumbers, Piece, QCFlag, Tissue, TissueQC
from lowpower.tissue.control import (
    ControlHabit,
    Layout,
    control_habit,
    control_name,
    groups_of,
    is_control_word,
    lay_out,
    signs_of,
    wrong_control,
)
from lowpower.tissue.find import look_at, tissue_mask, working_mpp

__all__ = [
    "CHECKS",
    "LAYERS",
    "Control",
    "ControlHabit",
    "Group",
    "Layout",
    "MaskNumbers",
    "Piece",
    "QCFlag",
    "Tissue",
    "TissueQC",
    "control_habit",
    "control_name",
    "damage_flags",
    "find_tissue",
    "groups_of",
    "is_control_word",
    "lay_out",
    "look_at",
    "measurable",
    "paint_layers",
    "quality_features",
    "quality_map",
    "refuse_damaged",
    "signs_of",
    "tissue_mask",
    "working_mpp",
    "write_quality_geojson",
    "wrong_control",
]
