"""Which bundle scores a slide: one for the marker that the slide is stained for, or none."""

from __future__ import annotations

import json

from lowpower.bundles import SPEC_FILE, find_bundle
from lowpower.errors import BundleError
from lowpower.serve.child import ScoringError
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.jobs._job_asked import Claimed

__all__ = ["model_for"]


def model_for(job: Claimed, settings: Settings) -> str:
    """The model of a job: the one it names, else the first of the service's that scores the slide's marker.

    Raises:
        ScoringError: none does; a model of another marker would answer another question.
    """
    named = [settings.model, *settings.models] if job.asked.model is None else [job.asked.model]
    if job.marker is None:
        return named[0]
    for name in named:
        if marker_of(name) in (job.marker, None):
            return name
    scores = f"the model {named[0]} scores {marker_of(named[0])}"
    more = "" if job.asked.model is not None else "; the setting models names others"
    raise ScoringError("marker", f"is stained for {job.marker}, and {scores}{more}.")


def marker_of(name: str) -> str | None:
    """The marker that a bundle scores; None where it cannot be read: whoever loads it says why."""
    try:
        return str(json.loads((find_bundle(name) / SPEC_FILE).read_bytes())["marker"])
    except (BundleError, OSError, ValueError, KeyError):
        return None
