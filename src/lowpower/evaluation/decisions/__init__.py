"""What is fitted on validation slides: thresholds, sets, and which answers may be issued."""

from lowpower.evaluation.decisions._abstention import (
    ConformalRule,
    conformal_decisions,
    conformal_sets,
    fit_conformal,
    risk_coverage,
)
from lowpower.evaluation.decisions._fit_decision import (
    APPEARANCE_COLUMNS,
    AREA_COLUMNS,
    MEASURED_COLUMNS,
    DecisionOptions,
    fit_decision,
)
from lowpower.evaluation.decisions._held_out import patient_folds
from lowpower.evaluation.decisions._measured_classes import measured_classes
from lowpower.evaluation.decisions._operating import (
    Calibration,
    choose_operating_point,
    fit_calibration,
    patient_digest,
)
from lowpower.evaluation.decisions._selective import fit_selective

__all__ = [
    "APPEARANCE_COLUMNS",
    "AREA_COLUMNS",
    "MEASURED_COLUMNS",
    "Calibration",
    "ConformalRule",
    "DecisionOptions",
    "choose_operating_point",
    "conformal_decisions",
    "conformal_sets",
    "fit_calibration",
    "fit_conformal",
    "fit_decision",
    "fit_selective",
    "measured_classes",
    "patient_digest",
    "patient_folds",
    "risk_coverage",
]
