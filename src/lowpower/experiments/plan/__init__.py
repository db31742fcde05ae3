"""What is to be done: the configuration, what its arms need of a slide, and where files go."""

from lowpower.experiments.plan._control_doubt import doubtful_slides, refuse_doubtful
from lowpower.experiments.plan._file_names import AUDIT, BUNDLE, CALIBRATION, FOLDS, MEASURED, RESULTS, STUDY
from lowpower.experiments.plan._needs import Need, needs_of
from lowpower.experiments.plan._read import parse_study, read_study_config
from lowpower.experiments.plan._study_config import (
    Arm,
    FusionArm,
    MeasuredArm,
    MilArm,
    PatchArm,
    SlideArm,
    StudyConfig,
)

__all__ = [
    "AUDIT",
    "BUNDLE",
    "CALIBRATION",
    "FOLDS",
    "MEASURED",
    "RESULTS",
    "STUDY",
    "Arm",
    "FusionArm",
    "MeasuredArm",
    "MilArm",
    "Need",
    "PatchArm",
    "SlideArm",
    "StudyConfig",
    "doubtful_slides",
    "needs_of",
    "parse_study",
    "read_study_config",
    "refuse_doubtful",
]
