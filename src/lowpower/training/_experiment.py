"""What every experiment is told, be it one network or a study of many arms: one set of defaults."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from lowpower.cohort import IshUnknown, LabelScheme, scheme_of
from lowpower.errors import CohortError
from lowpower.training._sections import Section

__all__ = ["Experiment", "FoldDraw", "keys_at", "nearest_key"]


class FoldDraw(Section):
    """Nested folds: whole patients, outer test, inner validation."""

    outer: int = Field(5, ge=2, description="Number of outer folds.")
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="Share of the remaining patients that validates."
    )
    leave_out: Literal["site", "scanner"] | None = Field(
        None, description="Hold out one value of this column a fold instead of drawing patients."
    )
    seed: int = Field(0, ge=0, description="Seed of the draw.")


class Experiment(Section):
    """The cohort, what is asked of it, and what may be learnt from."""

    schema_version: Literal[1] = 1
    cohort: Path = Field(description="The manifest.")
    scheme: str = Field("her2_four", description="Label scheme.")
    seed: int = Field(0, ge=0, description="Seed of weights, sampling and augmentation.")
    ish_unknown: IshUnknown = Field(
        "low",
        description="2+ without ISH, where the class depends on it: low, or exclude from training and test.",
    )
    doubtful_control: float = Field(
        0.0, ge=0, le=1, description="Share of slides with doubtful control tissue that is learnt from."
    )

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, scheme: str) -> str:
        try:
            return scheme_of(scheme).name
        except CohortError as error:
            raise ValueError(str(error).rstrip(".")) from error

    @property
    def label_scheme(self) -> LabelScheme:
        """The scheme itself, as everything past the configuration takes it."""
        return scheme_of(self.scheme)


def nearest_key(word: str, known: Sequence[str]) -> str:
    """The known word that was meant, or all of them, as the end of a sentence."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}."


def keys_at(section: Any, place: Sequence[int | str]) -> list[str]:
    """The keys of the part of a configuration at `place`; none where it has no keys of its own."""
    for part in place:
        annotation = section.model_fields[str(part)].annotation
        models = [kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")]
        if not models:
            return []
        section = models[0]
    return list(section.model_fields)
