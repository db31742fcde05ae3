"""What a study found: finished units as tables, and every number that its report shows."""

from lowpower.experiments.collect._collect import arm_label, collect, is_simulated
from lowpower.experiments.collect._findings import ArmFindings, StudyFindings, find, mean_auc
from lowpower.experiments.collect._results import ArmRecord, StudyResults, load_study, save_results
from lowpower.experiments.collect._subgroups import GROUP_METRICS, GROUP_PATIENTS, disagreements, group_table

__all__ = [
    "GROUP_METRICS",
    "GROUP_PATIENTS",
    "ArmFindings",
    "ArmRecord",
    "StudyFindings",
    "StudyResults",
    "arm_label",
    "collect",
    "disagreements",
    "find",
    "group_table",
    "is_simulated",
    "load_study",
    "mean_auc",
    "save_results",
]
