"""From what cells show to a score: cut-offs, classes, the guidelines' rules."""

from lowpower.stain.rules._cutoffs import (
    DEFAULT_CUTOFFS,
    INTENSE_OD,
    INVENTED,
    Cutoffs,
    Her2Cutoffs,
    NuclearCutoffs,
    her2_of,
)
from lowpower.stain.rules._fit_cutoffs import HER2_BOUNDS, LabelledCells, fit_her2, fit_nuclear, rescored
from lowpower.stain.rules._gaps import gap_quality, read_with_gaps
from lowpower.stain.rules._laboratory import (
    Fitted,
    Laboratory,
    laboratory_doubts,
    laboratory_for,
    read_laboratory,
    write_laboratory,
)
from lowpower.stain.rules._measure_grade import (
    Background,
    RayTable,
    counted_cells,
    grade_cells,
    strong_incomplete,
    usual_complete,
)
from lowpower.stain.rules._nuclear import NuclearScore, nuclear_score, nuclear_status
from lowpower.stain.rules._score_rules import (
    AllredScore,
    Her2Score,
    Her2Shares,
    allred,
    er_status,
    h_score,
    her2_open_questions,
    her2_score,
    pr_status,
    subtype,
)

__all__ = [
    "DEFAULT_CUTOFFS",
    "HER2_BOUNDS",
    "INTENSE_OD",
    "INVENTED",
    "AllredScore",
    "Background",
    "Cutoffs",
    "Fitted",
    "Her2Cutoffs",
    "Her2Score",
    "Her2Shares",
    "LabelledCells",
    "Laboratory",
    "NuclearCutoffs",
    "NuclearScore",
    "RayTable",
    "allred",
    "counted_cells",
    "er_status",
    "fit_her2",
    "fit_nuclear",
    "gap_quality",
    "grade_cells",
    "h_score",
    "her2_of",
    "her2_open_questions",
    "her2_score",
    "laboratory_doubts",
    "laboratory_for",
    "nuclear_score",
    "nuclear_status",
    "pr_status",
    "read_laboratory",
    "read_with_gaps",
    "rescored",
    "strong_incomplete",
    "subtype",
    "usual_complete",
    "write_laboratory",
]
