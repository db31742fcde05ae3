"""From a configuration to results and bundles: one arm on one fold, or arms on every fold."""

from typing import TYPE_CHECKING, Any

from lowpower.doors import lazily

if TYPE_CHECKING:
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
    from lowpower.experiments.plan import (
        Experiment,
        one_arm,
        parse_experiment,
        read_experiment,
        read_keys,
        template,
    )

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
    "one_arm",
    "parse_experiment",
    "parse_study",
    "prepare_run",
    "read_experiment",
    "read_keys",
    "read_study_config",
    "run_study",
    "template",
    "train_run",
]

_HOMES = {
    "_evaluate_run": ("TestOutcome", "evaluate_run"),
    "_fit_bundle": ("fit_bundle",),
    "_run_study": ("run_study",),
    "_train_run": ("FinishedRun", "doubtful_in", "prepare_run", "train_run"),
    "collect": (
        "GROUP_METRICS",
        "GROUP_PATIENTS",
        "ArmFindings",
        "ArmRecord",
        "StudyFindings",
        "StudyResults",
        "disagreements",
        "find",
        "group_table",
        "load_study",
    ),
    "deployment": ("Deployed", "deploy"),
    "plan": ("Experiment", "one_arm", "parse_experiment", "read_experiment", "read_keys", "template"),
}
_FORMER = {
    "StudyConfig": "Experiment",
    "parse_study": "parse_experiment",
    "read_study_config": "read_experiment",
}

_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """A name of the door, by its present or former spelling; a mistyped configuration loads no network."""
    return _find(_FORMER.get(name, name))
