"""What of a DICOM instance is kept here: pixels and numbers, not whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pydicom

from lowpower.errors import StructureError
from lowpower.files import output_errors

__all__ = ["keep_instance"]

_WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_LABELS: Final = ("LABEL", "OVERVIEW")
_PERSONAL: Final = (
    "PatientName", "PatientBirthDate", "PatientBirthTime", "PatientSex", "PatientAge", "PatientAddress",
    "OtherPatientIDs", "OtherPatientNames", "OtherPatientIDsSequence", "PatientMotherBirthName",
    "PatientComments", "PatientTelephoneNumbers", "EthnicGroup", "Occupation", "AdditionalPatientHistory",
    "AccessionNumber", "IssuerOfPatientID", "ReferringPhysicianName", "PerformingPhysicianName",
    "OperatorsName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "RequestingPhysician",
    "InstitutionName", "InstitutionAddress", "StudyID", "StudyDescription", "SeriesDescription",
    "ImageComments", "LabelText", "BarcodeValue", "ContainerIdentifier", "SpecimenDescriptionSequence",
    "RequestAttributesSequence",
)  # fmt: skip
"""What may say whose slide it is. It is left out of the copy here and stays in the archive."""


def keep_instance(dataset: pydicom.Dataset, path: Path, patient: str) -> bool:
    """Write a level of a slide; whether it was one: pictures of the label are left out.

    Args:
        dataset: The instance.
        path: Where to.
        patient: What stands for the patient.

    Raises:
        StructureError: it is no instance of a whole slide.
        OutputError: it cannot be written.
    """
    if str(dataset.get("SOPClassUID", "")) != _WHOLE_SLIDE:
        raise StructureError(path.parent, "is no series of a whole slide (VL Whole Slide Microscopy).")
    if any(word in dataset.get("ImageType", ()) for word in _LABELS):
        return False
    _pseudonymise(dataset, patient)
    with output_errors(path):
        dataset.save_as(path, enforce_file_format=True)
    return True


def _pseudonymise(dataset: pydicom.Dataset, patient: str) -> None:
    """Take out what says whose slide it is; pixels and numbers of instances stay."""
    for name in _PERSONAL:
        if name in dataset:
            if name in ("ContainerIdentifier",):
                dataset.ContainerIdentifier = patient or "unknown"
            elif dataset[name].VR == "SQ":
                delattr(dataset, name)
            else:
                setattr(dataset, name, "")
    dataset.PatientID, dataset.PatientName = patient, ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "lowpower"
    dataset.remove_private_tags()
