"""From a configuration to results and bundles: one arm on one fold, or arms on every fold."""

from lowpower.experiments._evaluate_run import TestOutcome, evaluate_run
from lowpower.experiments._fit_bundle import fit_bundle
from lowpower.experiments._run_study import run_study
from lowpower.experiments._train_run import FinishedRun, doubtful_in, prepare_run, train_run
from lowpower.experiments.collect import (
    GROUP_METRICS,
    GROUP_PATIENTS,
    ArmFindings,
    ArmRecord,
    StudyFindings,
    StudyResults,
    disagreements,
    find,
    group_table,
    load_study,
)
from lowpower.experiments.deployment import Deployed, deploy
from lowpower.experiments.plan import Experiment, parse_experiment, read_experiment, template

# Former names.
StudyConfig, parse_study, read_study_config = Experiment, parse_experiment, read_experiment

__all__ = [
    "GROUP_METRICS",
    "GROUP_PATIENTS",
    "ArmFindings",
    "ArmRecord",
    "Deployed",
    "Experiment",
    "FinishedRun",
    "StudyConfig",
    "StudyFindings",
    "StudyResults",
    "TestOutcome",
    "deploy",
    "disagreements",
    "doubtful_in",
    "evaluate_run",
    "find",
    "fit_bundle",
    "group_table",
    "load_study",
    "parse_experiment",
    "parse_study",
    "prepare_run",
    "read_experiment",
    "read_study_config",
    "run_study",
    "template",
    "train_run",
]
