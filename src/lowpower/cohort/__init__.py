"""Who is in a study: the manifest, label schemes, patient-level folds, the leakage audit and `check`."""

from lowpower.cohort._audit import Leak, audit_leakage
from lowpower.cohort._check import CohortCheck, check_cohort, check_slides
from lowpower.cohort._copies import content_hashes, refuse_copies
from lowpower.cohort._draft import Draft, draft_manifest
from lowpower.cohort._folds import Fold, Folds, FoldSlide, Split, load_folds
from lowpower.cohort._inputs import MANIFEST_ENDINGS, SlideInput, slide_inputs
from lowpower.cohort._make_folds import make_folds
from lowpower.cohort._manifest import read_cohort, write_manifest
from lowpower.cohort._near import near_copies
from lowpower.cohort._patients import canonical_patient, says_distinct, unify_patients
from lowpower.cohort._schemes import SCHEMES, Cutoff, IshUnknown, Label, LabelScheme, scheme_of
from lowpower.cohort._spelling import (
    HER2_SCORES,
    ISH_SPELLINGS,
    KI67_SCORES,
    MARKER_SPELLINGS,
    RECEPTOR_SCORES,
    canonical_score,
    percent_of,
)
from lowpower.cohort._table import COLUMNS, Cohort, Problem

__all__ = [
    "COLUMNS",
    "HER2_SCORES",
    "ISH_SPELLINGS",
    "KI67_SCORES",
    "MANIFEST_ENDINGS",
    "MARKER_SPELLINGS",
    "RECEPTOR_SCORES",
    "SCHEMES",
    "Cohort",
    "CohortCheck",
    "Cutoff",
    "Draft",
    "Fold",
    "FoldSlide",
    "Folds",
    "IshUnknown",
    "Label",
    "LabelScheme",
    "Leak",
    "Problem",
    "SlideInput",
    "Split",
    "audit_leakage",
    "canonical_patient",
    "canonical_score",
    "check_cohort",
    "check_slides",
    "content_hashes",
    "draft_manifest",
    "load_folds",
    "make_folds",
    "near_copies",
    "percent_of",
    "read_cohort",
    "refuse_copies",
    "says_distinct",
    "scheme_of",
    "slide_inputs",
    "unify_patients",
    "write_manifest",
]
