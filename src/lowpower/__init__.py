"""Scores breast-cancer IHC slides and asks how much resolution a score needs. Research use only.

The names below load their room when first used, so `import lowpower` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowpower.cohort import Cohort, read_cohort
    from lowpower.errors import (
        BundleError,
        CohortError,
        ConfigError,
        DamagedSlideError,
        EngineError,
        InvalidMppError,
        LowpowerError,
        MissingMppError,
        MppOutOfRangeError,
        NotASlideError,
        NoTissueError,
        OptionError,
        OutputError,
        PoorQualityError,
        PredictionsError,
        RefusedError,
        RegionsError,
        SlideError,
        StorageError,
        StructureError,
        UnexpectedStainError,
        WeightsError,
    )
    from lowpower.experiments import deploy, load_study, run_study
    from lowpower.experiments import evaluate_run as evaluate
    from lowpower.experiments import train_run as train
    from lowpower.models import load_bundle as load_model
    from lowpower.scoring import Result, ScoreRequest, measure_files, score, score_files
    from lowpower.serve import view
    from lowpower.simulate import sample
    from lowpower.slides import Slide, open_slide
    from lowpower.stain import Measurement, measure
    from lowpower.tissue import Tissue, find_tissue
    from lowpower.units import Box

__version__ = "0.1.0"

__all__ = [
    "Box",
    "BundleError",
    "Cohort",
    "CohortError",
    "ConfigError",
    "DamagedSlideError",
    "EngineError",
    "InvalidMppError",
    "LowpowerError",
    "Measurement",
    "MissingMppError",
    "MppOutOfRangeError",
    "NoTissueError",
    "NotASlideError",
    "OptionError",
    "OutputError",
    "PoorQualityError",
    "PredictionsError",
    "RefusedError",
    "RegionsError",
    "Result",
    "ScoreRequest",
    "Slide",
    "SlideError",
    "StorageError",
    "StructureError",
    "Tissue",
    "UnexpectedStainError",
    "WeightsError",
    "__version__",
    "deploy",
    "evaluate",
    "find_tissue",
    "load_model",
    "load_study",
    "measure",
    "measure_files",
    "open_slide",
    "read_cohort",
    "run_study",
    "sample",
    "score",
    "score_files",
    "train",
    "view",
]

_ROOMS = {
    "Box": ("units", "Box"),
    "BundleError": ("errors", "BundleError"),
    "Cohort": ("cohort", "Cohort"),
    "CohortError": ("errors", "CohortError"),
    "ConfigError": ("errors", "ConfigError"),
    "DamagedSlideError": ("errors", "DamagedSlideError"),
    "EngineError": ("errors", "EngineError"),
    "InvalidMppError": ("errors", "InvalidMppError"),
    "LowpowerError": ("errors", "LowpowerError"),
    "Measurement": ("stain", "Measurement"),
    "MissingMppError": ("errors", "MissingMppError"),
    "MppOutOfRangeError": ("errors", "MppOutOfRangeError"),
    "NoTissueError": ("errors", "NoTissueError"),
    "NotASlideError": ("errors", "NotASlideError"),
    "OptionError": ("errors", "OptionError"),
    "OutputError": ("errors", "OutputError"),
    "PoorQualityError": ("errors", "PoorQualityError"),
    "PredictionsError": ("errors", "PredictionsError"),
    "RefusedError": ("errors", "RefusedError"),
    "RegionsError": ("errors", "RegionsError"),
    "Result": ("scoring", "Result"),
    "ScoreRequest": ("scoring", "ScoreRequest"),
    "Slide": ("slides", "Slide"),
    "SlideError": ("errors", "SlideError"),
    "StorageError": ("errors", "StorageError"),
    "StructureError": ("errors", "StructureError"),
    "Tissue": ("tissue", "Tissue"),
    "UnexpectedStainError": ("errors", "UnexpectedStainError"),
    "WeightsError": ("errors", "WeightsError"),
    "deploy": ("experiments", "deploy"),
    "evaluate": ("experiments", "evaluate_run"),
    "find_tissue": ("tissue", "find_tissue"),
    "load_model": ("models", "load_bundle"),
    "load_study": ("experiments", "load_study"),
    "measure": ("stain", "measure"),
    "measure_files": ("scoring", "measure_files"),
    "open_slide": ("slides", "open_slide"),
    "read_cohort": ("cohort", "read_cohort"),
    "run_study": ("experiments", "run_study"),
    "sample": ("simulate", "sample"),
    "score": ("scoring", "score"),
    "score_files": ("scoring", "score_files"),
    "train": ("experiments", "train_run"),
    "view": ("serve", "view"),
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'lowpower' has no attribute {name!r}")
    room, attribute = _ROOMS[name]
    return getattr(import_module(f"lowpower.{room}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
