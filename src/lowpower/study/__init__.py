"""Studies: a configured run from cohort to calibrated bundle to test report, and the demo."""

from lowpower.study._demo import DemoSize, run_demo
from lowpower.study._evaluate import TestOutcome, evaluate_run
from lowpower.study._report import METRIC_NAMES, say
from lowpower.study._train import FinishedRun, prepare_run, train_run

__all__ = [
    "METRIC_NAMES",
    "DemoSize",
    "FinishedRun",
    "TestOutcome",
    "evaluate_run",
    "prepare_run",
    "run_demo",
    "say",
    "train_run",
]
