"""What the charts show: how readers and model agree, and whether what comes in is still what it was."""

from lowpower.serve.department.charts._agreement_chart import AgreementTold, agreement_of
from lowpower.serve.department.charts._drift_chart import DRIFT, DriftTold, drift_of, note_drift

__all__ = ["DRIFT", "AgreementTold", "DriftTold", "agreement_of", "drift_of", "note_drift"]
