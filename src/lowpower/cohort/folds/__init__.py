"""Folds by patient: made, audited, kept."""

from lowpower.cohort.folds._audit import audit_leakage
from lowpower.cohort.folds._folds import Folds, load_folds
from lowpower.cohort.folds._make_folds import make_folds

__all__ = [
    "Folds",
    "audit_leakage",
    "load_folds",
    "make_folds",
]
