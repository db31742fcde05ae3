"""Who and when: only what the user says. Nothing about a patient is made up or read from a file's name."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What the user gives beside the result.

    Attributes:
        when: Time of the export.
        patient_id: The patient's identifier in the user's own system.
        accession: The case's.
    """

    when: datetime.datetime
    patient_id: str | None = None
    accession: str | None = None
