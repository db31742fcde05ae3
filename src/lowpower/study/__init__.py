"""Studies: a configured run from cohort to calibrated bundle to test report, and the demo."""

from lowpower.study._demo import DemoSize, run_demo
from lowpower.study._evaluate import TestOutcome, evaluate_run
from lowpower.study._report import METRIC_NAMES, say
from lowpower.study._results import ArmRecord, StudyResults, load_study
from lowpower.study._study_config import StudyConfig
from lowpower.study._study_read import parse_study, read_study_config
from lowpower.study._train import FinishedRun, prepare_run, train_run

__all__ = [
    "METRIC_NAMES",
    "ArmRecord",
    "DemoSize",
    "FinishedRun",
    "StudyConfig",
    "StudyResults",
    "TestOutcome",
    "evaluate_run",
    "load_study",
    "parse_study",
    "prepare_run",
    "read_study_config",
    "run_demo",
    "say",
    "train_run",
]
