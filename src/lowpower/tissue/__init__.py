"""Where a slide's tissue is: found alike whether pale score 0 or dark 3+, against the slide's own glass."""

from lowpower.tissue._checks import CHECKS, Check
from lowpower.tissue._control_given import control_name, is_control_word, wrong_control
from lowpower.tissue._damaged import damage_flags, refuse_damaged
from lowpower.tissue._find import find_tissue
from lowpower.tissue._habit import ControlHabit, control_habit
from lowpower.tissue._layers import (
    LAYERS,
    Layer,
    QualityMap,
    measurable,
    quality_features,
    quality_map,
    write_quality_geojson,
)
from lowpower.tissue._mask import tissue_mask, working_mpp
from lowpower.tissue._picture import paint_layers
from lowpower.tissue._types import (
    Control,
    Effect,
    Group,
    MaskNumbers,
    MaskResult,
    Piece,
    QCFlag,
    Tissue,
    TissueQC,
    WhitePointSource,
)

__all__ = [
    "CHECKS",
    "LAYERS",
    "Check",
    "Control",
    "ControlHabit",
    "Effect",
    "Group",
    "Layer",
    "MaskNumbers",
    "MaskResult",
    "Piece",
    "QCFlag",
    "QualityMap",
    "Tissue",
    "TissueQC",
    "WhitePointSource",
    "control_habit",
    "control_name",
    "damage_flags",
    "find_tissue",
    "is_control_word",
    "measurable",
    "paint_layers",
    "quality_features",
    "quality_map",
    "refuse_damaged",
    "tissue_mask",
    "working_mpp",
    "write_quality_geojson",
    "wrong_control",
]
