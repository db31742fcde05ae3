"""A slide of a folder that is scored again: as it was the first time, but for what the reader says now."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lowpower.bundles import SPEC_FILE, find_bundle
from lowpower.errors import ConfigError, LowpowerError
from lowpower.scoring import Asked, MeasuredSlide, Result
from lowpower.serve._shelf import Entry
from lowpower.tissue import is_control_word

__all__ = ["Again", "again"]

_DEPTHS: Final = ("*", "*/*", "*/*/*")


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
        model: The bundle that scores here; that of the earlier result goes before it, if it lies beside.
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
    if isinstance(record, Result) and record.model is not None and record.model.name != _told(model)["name"]:
        near = _beside(entry.folder.parent, record.model.sha256)
        if near is None:
            raise ConfigError(
                f"{entry.key}: was scored by the model {record.model.name}, and {_told(model)['name']} "
                "scores here; name its bundle: lowpower view RESULTS --model BUNDLE"
            )
        model = str(near)
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


def _told(model: str | Path) -> dict[str, Any]:
    """What a bundle says of itself; no network is loaded."""
    try:
        told: dict[str, Any] = json.loads((find_bundle(model) / SPEC_FILE).read_bytes())
        return {name: told[name] for name in ("name", "weights_sha256")}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{model}: is no bundle that can be read ({error}).") from error


def _beside(results: Path, sha256: str) -> Path | None:
    """The very bundle that a result names, where it lies beside the results, as `lowpower demo` leaves it."""
    for depth in _DEPTHS:
        for spec in sorted(results.parent.glob(f"{depth}/{SPEC_FILE}")):
            with contextlib.suppress(LowpowerError):
                if _told(spec.parent)["weights_sha256"] == sha256:
                    return spec.parent
    return None
