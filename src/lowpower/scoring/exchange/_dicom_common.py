"""What every DICOM object of a case has in common: codes, numbers, the slide it belongs to, its time."""

from __future__ import annotations

import datetime
import io
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowpower.files import write_bytes
from lowpower.scoring.exchange._case import Case
from lowpower.scoring.exchange._codes import Term

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["INHERITED", "MANUFACTURER", "coded", "made_by", "slide_instances", "uid_of", "write_document"]

MANUFACTURER = "lowpower developers"


def coded(term: Term) -> Any:
    """A code as highdicom takes it."""
    import highdicom as hd

    return hd.sr.CodedConcept(term.code, term.scheme, term.short)


def uid_of(name: str, *parts: object) -> str:
    """A UID under 2.25 (X.667) that the same case and identity always get."""
    said = [part.path.read_bytes().hex() if isinstance(part, Case) else repr(part) for part in parts]
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(['lowpower', name, *said])).int}"


def slide_instances(slide: Path) -> list[Dataset]:
    """The slide's finest DICOM instance without pixels, if the slide is DICOM and still there."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    files = sorted(slide.iterdir()) if slide.is_dir() else [slide]
    found = []
    for file in files:
        try:
            dataset = dcmread(file, stop_before_pixels=True)
        except (OSError, InvalidDicomError):
            continue
        if dataset.get("Modality") == "SM":
            found.append(dataset)
    widest = max(found, key=lambda one: int(one.get("TotalPixelMatrixColumns", 0)), default=None)
    if widest is None:
        return []
    for keyword in INHERITED:
        if keyword not in widest or not _well_formed(keyword, str(widest.get(keyword))):
            setattr(widest, keyword, "")
    return [widest]


INHERITED = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime",
)  # fmt: skip


def _well_formed(keyword: str, value: str) -> bool:
    """Whether a date or time of the slide is one; some scanners write other shapes, which no SR may carry."""
    from pydicom.valuerep import DA, TM

    kind = DA if keyword.endswith("Date") else TM if keyword.endswith("Time") else str
    try:
        kind(value)
    except ValueError:
        return False
    return True


def made_by(case: Case) -> dict[str, Any]:
    """What highdicom is told of who makes an object of a case, and what it is for."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": "lowpower",
        "software_versions": case.record.software_version,
        "device_serial_number": "none",
        "series_description": "Research use only: not a medical device",
    }


def write_document(path: Path, make: Callable[[], Dataset], when: datetime.datetime) -> None:
    """Make an object, set its time and write it.

    Raises:
        OutputError: if it cannot be written.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A DICOM slide's own patient and study fields go in as they stand, long or oddly spelt ones too.
        warnings.simplefilter("ignore", UserWarning)
        document = make()
        _stamp(document, when)
        document.save_as(buffer, enforce_file_format=True)
    write_bytes(path, buffer.getvalue())


def _stamp(document: Dataset, when: datetime.datetime) -> None:
    """Set one time in every place, so that the same export gives the same bytes."""
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        if keyword in document:
            setattr(document, keyword, date)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        if keyword in document:
            setattr(document, keyword, time)
    for equipment in document.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{date}{time}"
