"""To and from others: the archive, DICOM series sent in parts, the FHIR server, reviews as a manifest."""

from lowpower.serve.department.exchange._dicom_parts import SeriesParts
from lowpower.serve.department.exchange._fhir_post import FhirError, post_fhir
from lowpower.serve.department.exchange._pacs import Pacs, PacsError, SeriesFound
from lowpower.serve.department.exchange._reviewed_slides import reviewed_department

__all__ = [
    "FhirError",
    "Pacs",
    "PacsError",
    "SeriesFound",
    "SeriesParts",
    "post_fhir",
    "reviewed_department",
]
