"""Who is in a study: the manifest, label schemes, patient-level folds, the leakage audit and `check`."""

from lowpower.cohort._manifest import read_cohort, write_manifest
from lowpower.cohort._schemes import SCHEMES, Cutoff, Label, LabelScheme, scheme_of
from lowpower.cohort._spelling import HER2_SCORES, ISH_SPELLINGS, MARKER_SPELLINGS, RECEPTOR_SCORES
from lowpower.cohort._table import COLUMNS, Cohort, Problem

__all__ = [
    "COLUMNS",
    "HER2_SCORES",
    "ISH_SPELLINGS",
    "MARKER_SPELLINGS",
    "RECEPTOR_SCORES",
    "SCHEMES",
    "Cohort",
    "Cutoff",
    "Label",
    "LabelScheme",
    "Problem",
    "read_cohort",
    "scheme_of",
    "write_manifest",
]
