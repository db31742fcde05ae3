"""What the process that scores is told of a job, and what is on record where it gave no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lowpower
from lowpower.files import make_folder, write_text
from lowpower.scoring import Asked, MeasuredSlide, Result
from lowpower.serve.child import ScoringError
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.jobs._job_asked import Claimed
from lowpower.serve.department.jobs._which_model import model_for

__all__ = ["request_of", "without_answer"]


def request_of(job: Claimed, settings: Settings) -> dict[str, Any]:
    """Attributes of `ScoreRequest`; a measurement names the marker, and no model.

    Raises:
        ScoringError: no model of the service scores the slide's marker.
    """
    asked = job.asked
    request: dict[str, Any] = {
        "mpp": asked.mpp,
        "control": asked.control,
        "region_classes": tuple(asked.region_classes),
        "cells": asked.cells,
        "force": asked.force,
        "effort": settings.effort,
        "precision": settings.precision,
        "laboratory": None if settings.laboratory is None else str(settings.laboratory),
    }
    if asked.kind == "measure":
        return request | {"marker": job.marker}
    measure = settings.measure if asked.measure is None else asked.measure
    return request | {"model": model_for(job, settings), "measure": measure}


def without_answer(
    job: Claimed, settings: Settings, staging: Path, error: ScoringError
) -> tuple[Path, Result | MeasuredSlide]:
    """The record of a slide that was not scored, as `lowpower score` or `measure` keeps it of others."""
    asked = job.asked
    about: dict[str, Any] = {
        "file": str(job.slide),
        "state": "refused" if error.code == "marker" else "failed",
        "reason": f"{job.slide_key}: {str(error).removeprefix(f'{job.slide}: ')}",
        "reason_code": error.code,
        "slide_sha256": job.sha256,
        "asked": Asked(
            mpp=asked.mpp,
            control=asked.control,
            region_classes=asked.region_classes,
            cells=asked.cells,
            force=asked.force,
            effort=settings.effort,
            precision=settings.precision,
        ),
        "software_version": lowpower.__version__,
    }
    record: Result | MeasuredSlide
    if asked.kind == "measure" and job.marker is not None:
        record = MeasuredSlide(marker=job.marker, **about)
    else:
        record = Result(**about)
    folder = make_folder(staging / "failed")
    write_text(folder / job.record_name, record.model_dump_json(indent=2) + "\n")
    return folder, record
