"""A slide of a folder that is scored again: as it was the first time, but for what the reader says now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lowpower.bundles import SPEC_FILE, find_bundle
from lowpower.errors import ConfigError
from lowpower.scoring import Asked, MeasuredSlide, Result
from lowpower.serve._shelf import Entry
from lowpower.tissue import is_control_word

__all__ = ["Again", "again"]


@dataclass(frozen=True)
class Again:
    """What is asked of the process that scores.

    Attributes:
        verb: Which made the earlier result.
        request: Attributes of `ScoreRequest`.
    """

    verb: Literal["score", "measure"]
    request: dict[str, Any]


def again(
    entry: Entry,
    *,
    model: str,
    laboratory: Path | None,
    regions: Path | None,
    control: str | None,
    mpp: float | None,
) -> Again:
    """The options of an earlier result, with other regions and control tissue.

    Args:
        entry: The earlier result.
        model: The bundle that scores here.
        laboratory: The laboratory's cut-offs here.
        regions: GeoJSON to score inside; None for the whole slide.
        control: What is said of control tissue; None: as before.
        mpp: um/px, over what the file says; None: as before.

    Raises:
        ConfigError: the earlier result was made by what is not known here: another model, a laboratory's
            cut-offs, a mask. To leave that out would be another question.
    """
    record, asked = entry.record, entry.record.asked or Asked()
    if asked.mask is not None:
        raise ConfigError(f"{entry.key}: its tissue was given by a mask; {_by_hand('--mask')}")
    if asked.laboratory is not None and laboratory is None:
        raise ConfigError(
            f"{entry.key}: the cut-offs of {asked.laboratory} counted; name their file: lowpower view "
            "RESULTS --laboratory FILE"
        )
    if control is None and not is_control_word(asked.control):
        raise ConfigError(f"{entry.key}: its control tissue was given by a file; {_by_hand('--control')}")
    measured = isinstance(record, MeasuredSlide)
    if isinstance(record, Result) and record.model is not None and record.model.name != _name_of(model):
        raise ConfigError(
            f"{entry.key}: was scored by the model {record.model.name}, and {_name_of(model)} scores here; "
            "name its bundle: lowpower view RESULTS --model BUNDLE"
        )
    request: dict[str, Any] = {
        "mpp": asked.mpp if mpp is None else mpp,
        "scene": asked.scene,
        "plane": asked.plane,
        "control": asked.control if control is None else control,
        "regions": None if regions is None else str(regions),
        "region_classes": asked.region_classes if regions is not None else (),
        "laboratory": None if laboratory is None else str(laboratory),
        "cells": asked.cells,
        "force": asked.force,
        "measure": asked.measure,
        "pictures": asked.pictures,
        "effort": asked.effort,
        "seconds": asked.seconds,
        "seed": asked.seed,
    }
    request |= {"marker": record.marker} if measured else {"model": model}
    return Again("measure" if measured else "score", request)


def _by_hand(option: str) -> str:
    return f"score it again by `lowpower score SLIDE {option} FILE --out RESULTS`."


def _name_of(model: str) -> str:
    """The name by which results call a bundle; no network is loaded."""
    try:
        return str(json.loads((find_bundle(model) / SPEC_FILE).read_bytes())["name"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{model}: is no bundle that can be read ({error}).") from error
