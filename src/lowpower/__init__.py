"""Scores breast-cancer IHC slides and asks how much resolution a score needs. Research use only.

The names below load their room when first used, so `import lowpower` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    "Measurement",
    "Result",
    "ScoreRequest",
    "Slide",
    "Tissue",
    "__version__",
    "find_tissue",
    "load_model",
    "measure",
    "measure_files",
    "open_slide",
    "sample",
    "score",
    "score_files",
    "view",
]

_ROOMS = {
    "Box": ("units", "Box"),
    "Measurement": ("stain", "Measurement"),
    "Result": ("scoring", "Result"),
    "ScoreRequest": ("scoring", "ScoreRequest"),
    "Slide": ("slides", "Slide"),
    "Tissue": ("tissue", "Tissue"),
    "find_tissue": ("tissue", "find_tissue"),
    "load_model": ("models", "load_bundle"),
    "measure": ("stain", "measure"),
    "measure_files": ("scoring", "measure_files"),
    "open_slide": ("slides", "open_slide"),
    "sample": ("simulate", "sample"),
    "score": ("scoring", "score"),
    "score_files": ("scoring", "score_files"),
    "view": ("serve", "view"),
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'lowpower' has no attribute {name!r}")
    room, attribute = _ROOMS[name]
    return getattr(import_module(f"lowpower.{room}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
