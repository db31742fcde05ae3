"""Exchange: one case as DICOM SR, FHIR, PDF, GeoJSON and CSV."""

from lowpower.scoring.exchange._codes import Term, terms
from lowpower.scoring.exchange._export import FORMS, Exported, export

__all__ = ["FORMS", "Exported", "Term", "export", "terms"]
