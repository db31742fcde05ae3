"""One unit of a study: an arm on a fold, learnt, calibrated and tested."""

from lowpower.experiments.units._cross import FEW_TO_CALIBRATE
from lowpower.experiments.units._learnt import Fitted, Learnt, predictor_of
from lowpower.experiments.units._run_unit import (
    CROSS,
    FITTED,
    FUSION_WEIGHTS,
    WEIGHTS,
    learn_unit,
    run_unit,
)
from lowpower.experiments.units._unit import (
    Done,
    Unit,
    finished,
    learnt_anew,
    lost_unit,
    unit_folder,
    unit_of,
)

__all__ = [
    "CROSS",
    "FEW_TO_CALIBRATE",
    "FITTED",
    "FUSION_WEIGHTS",
    "WEIGHTS",
    "Done",
    "Fitted",
    "Learnt",
    "Unit",
    "finished",
    "learn_unit",
    "learnt_anew",
    "lost_unit",
    "predictor_of",
    "run_unit",
    "unit_folder",
    "unit_of",
]
