"""What is to be done: the configuration, what its arms need of a slide, and where files go."""

from lowpower.experiments.plan._arms import Arm, FusionArm, MeasuredArm, MilArm, PatchArm, SlideArm
from lowpower.experiments.plan._control_doubt import doubtful_slides, refuse_doubtful, says_nothing
from lowpower.experiments.plan._experiment import BundleOptions, Experiment
from lowpower.experiments.plan._file_names import (
    AUDIT,
    BUNDLES,
    CALIBRATION,
    FOLDS,
    RESULTS,
    RUN,
    STUDY,
    TEST,
)
from lowpower.experiments.plan._needs import Need, needs_of
from lowpower.experiments.plan._one_arm import one_arm
from lowpower.experiments.plan._planned_folds import planned_folds, wanted_folds
from lowpower.experiments.plan._read import absolute, parse_experiment, read_experiment, read_keys
from lowpower.experiments.plan._template import template

__all__ = [
    "AUDIT",
    "BUNDLES",
    "CALIBRATION",
    "FOLDS",
    "RESULTS",
    "RUN",
    "STUDY",
    "TEST",
    "Arm",
    "BundleOptions",
    "Experiment",
    "FusionArm",
    "MeasuredArm",
    "MilArm",
    "Need",
    "PatchArm",
    "SlideArm",
    "absolute",
    "doubtful_slides",
    "needs_of",
    "one_arm",
    "parse_experiment",
    "planned_folds",
    "read_experiment",
    "read_keys",
    "refuse_doubtful",
    "says_nothing",
    "template",
    "wanted_folds",
]
