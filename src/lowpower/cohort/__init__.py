"""Who is in a study: the manifest, label schemes, patient-level folds, the leakage audit and `check`."""

from lowpower.cohort._check import CohortCheck, check_cohort, check_slides
from lowpower.cohort._patients import canonical_patient, says_distinct, unify_patients
from lowpower.cohort._schemes import SCHEMES, IshUnknown, Label, LabelScheme, scheme_of
from lowpower.cohort._spelling import (
    HER2_SCORES,
    ISH_SPELLINGS,
    KI67_SCORES,
    MARKER_SPELLINGS,
    RECEPTOR_SCORES,
    canonical_marker,
    canonical_score,
    percent_of,
)
from lowpower.cohort._table import COLUMNS, Cohort, Problem
from lowpower.cohort.copies import content_hashes, near_copies, refuse_copies
from lowpower.cohort.folds import Folds, audit_leakage, load_folds, make_folds
from lowpower.cohort.manifest import (
    MANIFEST_ENDINGS,
    SlideInput,
    check_asked,
    check_budget,
    draft_manifest,
    filled_manifests,
    read_cohort,
    slide_inputs,
    write_manifest,
)

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
    "Folds",
    "IshUnknown",
    "Label",
    "LabelScheme",
    "Problem",
    "SlideInput",
    "audit_leakage",
    "canonical_marker",
    "canonical_patient",
    "canonical_score",
    "check_asked",
    "check_budget",
    "check_cohort",
    "check_slides",
    "content_hashes",
    "draft_manifest",
    "filled_manifests",
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
