"""How the slides looked that a model's answers were fitted on, as its bundle keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import ValidationError

from lowpower.bundles import SPEC_FILE, find_bundle
from lowpower.errors import BundleError
from lowpower.models import Familiar, appearance_of
from lowpower.scoring import Result

__all__ = ["FitRanges"]

_NAMES: Final = (
    "haematoxylin colour, red",
    "haematoxylin colour, blue",
    "DAB colour, red",
    "DAB colour, blue",
    "glass, red less green",
    "glass, blue less green",
    "sharpness (logarithm)",
)
"""In the order of `appearance_of`."""
_NOT_KEPT: Final = (
    "its bundle does not keep how the slides of its fit looked; it had fewer than 20 validation patients, or "
    "an older lowpower made it."
)
_ENDS: Final = (0.5, 99.5)
"""Percentiles of the fit's slides: 1 in 100 lay beyond, as `Familiar` allows."""


@dataclass(frozen=True)
class FitRanges:
    """Between which ends the slides of a model's fit lay.

    Attributes:
        model: The bundle's name.
        sha256: Of its weights: results of another model are not held against it.
        slides: Slides of the fit.
        ranges: Name, low and high of each quantity.
    """

    model: str
    sha256: str
    slides: int
    ranges: tuple[tuple[str, float, float], ...]

    @classmethod
    def of(cls, model: str) -> Self | str:
        """Those of a bundle, or why there are none, in a sentence."""
        try:
            told = json.loads((find_bundle(model) / SPEC_FILE).read_bytes())
            name, sha256 = str(told["name"]), str(told["weights_sha256"])
            decision = told.get("decision") or {}
            if not decision.get("joint"):
                why = " ".join(decision.get("notes") or ()) or "no measurement takes part in its answers."
                return f"{name}: how the slides of its fit looked is not known; {why}"
            if not decision["joint"].get("familiar"):
                return f"{name}: {_NOT_KEPT}"
            kept = Familiar.model_validate(decision["joint"]["familiar"])
        except (BundleError, OSError, ValidationError, ValueError, KeyError, TypeError, AttributeError):
            return (
                f"{Path(model).name}: its bundle cannot be read here, so what it was fitted on is not known."
            )
        ends = np.percentile(np.array(kept.appearances), _ENDS, axis=0)
        ranges = tuple(
            (named, float(low), float(high)) for named, (low, high) in zip(_NAMES, ends.T, strict=True)
        )
        return cls(name, sha256, len(kept.appearances), ranges)

    def appearance(self, one: Result) -> tuple[float, ...] | None:
        """The same of a result; None where another model answered or it was not measured."""
        stains = None if one.measured is None else one.measured.stains
        if one.measured is None or stains is None or stains.glass is None:
            return None
        if one.model is None or one.model.sha256 != self.sha256:
            return None
        return appearance_of(stains.glass, stains.hematoxylin, stains.dab, one.measured.rendering)
