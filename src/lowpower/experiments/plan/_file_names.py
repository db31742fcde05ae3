"""Files of a study's folder and of a run's, by name."""

from typing import Final

__all__ = ["AUDIT", "BUNDLE", "CALIBRATION", "FOLDS", "MEASURED", "RESULTS", "STUDY"]

FOLDS: Final = "folds.json"

# Of a study.
STUDY: Final = "study.json"
AUDIT: Final = "audit.json"
RESULTS: Final = "results"

# Of a run.
CALIBRATION: Final = "calibration.json"
BUNDLE: Final = "bundle"
MEASURED: Final = "measured"
