"""Stain as measured, without labels: optical density, stain vectors, what a slide is stained with."""

from lowpower.stain._cell_identity import CellNetworkIdentity, cell_network_identity
from lowpower.stain._cells import Cells
from lowpower.stain._clipping import clipping
from lowpower.stain._cutoffs import DEFAULT_CUTOFFS, INTENSE_OD, Cutoffs, Her2Cutoffs, NuclearCutoffs
from lowpower.stain._density import (
    RUIFROK_DAB,
    RUIFROK_E,
    RUIFROK_H,
    optical_density,
    to_rgb,
    unit_vector,
    unmix,
)
from lowpower.stain._fit_cutoffs import HER2_BOUNDS, LabelledCells, fit_her2, fit_nuclear, rescored
from lowpower.stain._laboratory import Fitted, Laboratory, read_laboratory, write_laboratory
from lowpower.stain._look import StainLook, looks_like
from lowpower.stain._measure import DabAreas, Heterogeneity, Measurement, measure
from lowpower.stain._measure_field import Marker
from lowpower.stain._measure_grade import counted_cells
from lowpower.stain._nuclear import NuclearScore
from lowpower.stain._quality import STAIN_CODES, stain_quality
from lowpower.stain._rules import (
    AllredScore,
    Her2Score,
    Her2Shares,
    Subtype,
    allred,
    er_status,
    h_score,
    her2_score,
    labelling_index,
    pr_status,
    subtype,
)
from lowpower.stain._vectors import StainVectors, estimate_stains

__all__ = [
    "DEFAULT_CUTOFFS",
    "HER2_BOUNDS",
    "INTENSE_OD",
    "RUIFROK_DAB",
    "RUIFROK_E",
    "RUIFROK_H",
    "STAIN_CODES",
    "AllredScore",
    "CellNetworkIdentity",
    "Cells",
    "Cutoffs",
    "DabAreas",
    "Fitted",
    "Her2Cutoffs",
    "Her2Score",
    "Her2Shares",
    "Heterogeneity",
    "LabelledCells",
    "Laboratory",
    "Marker",
    "Measurement",
    "NuclearCutoffs",
    "NuclearScore",
    "StainLook",
    "StainVectors",
    "Subtype",
    "allred",
    "cell_network_identity",
    "clipping",
    "counted_cells",
    "er_status",
    "estimate_stains",
    "fit_her2",
    "fit_nuclear",
    "h_score",
    "her2_score",
    "labelling_index",
    "looks_like",
    "measure",
    "optical_density",
    "pr_status",
    "read_laboratory",
    "rescored",
    "stain_quality",
    "subtype",
    "to_rgb",
    "unit_vector",
    "unmix",
    "write_laboratory",
]
