"""One unit of a study: an arm on a fold, learnt, calibrated and tested."""

from lowpower.experiments.units._learners import Fitted
from lowpower.experiments.units._unit import (
    FITTED,
    FUSION_WEIGHTS,
    WEIGHTS,
    Done,
    Unit,
    fingerprint,
    finished,
    lost_unit,
    run_unit,
    unit_folder,
)

__all__ = [
    "FITTED",
    "FUSION_WEIGHTS",
    "WEIGHTS",
    "Done",
    "Fitted",
    "Unit",
    "fingerprint",
    "finished",
    "lost_unit",
    "run_unit",
    "unit_folder",
]
