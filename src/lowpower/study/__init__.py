"""Studies: a configured run from cohort to calibrated bundle to test report, and the demo."""

from lowpower.study._cells import p_sentence
from lowpower.study._compare_report import CompareOutcome, compare_tables
from lowpower.study._demo import DemoOutcome, DemoSize, run_demo
from lowpower.study._deploy import Deployed, deploy
from lowpower.study._evaluate import TestOutcome, evaluate_run
from lowpower.study._fit_bundle import decision_table, fit_bundle
from lowpower.study._page import METRIC_NAMES, say
from lowpower.study._results import ArmRecord, StudyResults, load_study
from lowpower.study._run_study import run_study
from lowpower.study._study_config import StudyConfig
from lowpower.study._study_read import parse_study, read_study_config
from lowpower.study._study_report import write_study_report
from lowpower.study._table_report import TableOutcome, evaluate_table
from lowpower.study._train import FinishedRun, doubtful_in, prepare_run, train_run

__all__ = [
    "METRIC_NAMES",
    "ArmRecord",
    "CompareOutcome",
    "DemoOutcome",
    "DemoSize",
    "Deployed",
    "FinishedRun",
    "StudyConfig",
    "StudyResults",
    "TableOutcome",
    "TestOutcome",
    "compare_tables",
    "decision_table",
    "deploy",
    "doubtful_in",
    "evaluate_run",
    "evaluate_table",
    "fit_bundle",
    "load_study",
    "p_sentence",
    "parse_study",
    "prepare_run",
    "read_study_config",
    "run_demo",
    "run_study",
    "say",
    "train_run",
    "write_study_report",
]
