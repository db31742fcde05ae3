"""Files of an experiment's folder, by name."""

from typing import Final

__all__ = ["AUDIT", "BUNDLES", "CALIBRATION", "FOLDS", "RESULTS", "RUN", "STUDY", "TEST"]

STUDY: Final = "study.json"
FOLDS: Final = "folds.json"
AUDIT: Final = "audit.json"
RESULTS: Final = "results"
BUNDLES: Final = "bundles"
TEST: Final = "test"
CALIBRATION: Final = "calibration.json"

RUN: Final = "config.json"
"""Says in a run's folder of an earlier version what was trained."""
