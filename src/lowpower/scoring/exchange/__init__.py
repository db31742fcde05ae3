"""Exchange: one case as DICOM SR and annotations, FHIR, PDF, GeoJSON and CSV."""

from lowpower.scoring.exchange._codes import Term, terms
from lowpower.scoring.exchange._export import export

__all__ = [
    "Term",
    "export",
    "terms",
]
