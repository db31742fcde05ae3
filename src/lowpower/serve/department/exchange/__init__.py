"""To and from other systems: the picture archive, DICOM series that are sent in parts, the FHIR server."""

from lowpower.serve.department.exchange._dicom_parts import SeriesParts
from lowpower.serve.department.exchange._fhir_post import FhirError, post_fhir
from lowpower.serve.department.exchange._pacs import Pacs, PacsError, SeriesFound

__all__ = ["FhirError", "Pacs", "PacsError", "SeriesFound", "SeriesParts", "post_fhir"]
