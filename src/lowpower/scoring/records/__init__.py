"""What is written of a slide: results, measurements, and what lies beside them."""

from lowpower.scoring.records._agreement_record import Agreement, agreement_of, not_asked
from lowpower.scoring.records._answer import Answer, ControlDoubt, ControlWay, CutoffAnswer
from lowpower.scoring.records._attachments import ATTACHMENTS, Attachments, CellTable, write_attachments
from lowpower.scoring.records._cell_colours import CELL_COLOURS, OTHER, class_names, classes_of, share_name
from lowpower.scoring.records._measured import (
    Measured,
    MeasuredSlide,
    cell_network,
    least_grade,
    measured_of,
    state_of,
)
from lowpower.scoring.records._record import (
    NOTICE,
    Asked,
    DrawnRegions,
    ModelIdentity,
    QualityFlag,
    QualityRecord,
    Record,
)
from lowpower.scoring.records._result import REFER, Result
from lowpower.scoring.records._slide_record import SlideRecord

__all__ = [
    "ATTACHMENTS",
    "CELL_COLOURS",
    "NOTICE",
    "OTHER",
    "REFER",
    "Agreement",
    "Answer",
    "Asked",
    "Attachments",
    "CellTable",
    "ControlDoubt",
    "ControlWay",
    "CutoffAnswer",
    "DrawnRegions",
    "Measured",
    "MeasuredSlide",
    "ModelIdentity",
    "QualityFlag",
    "QualityRecord",
    "Record",
    "Result",
    "SlideRecord",
    "agreement_of",
    "cell_network",
    "class_names",
    "classes_of",
    "least_grade",
    "measured_of",
    "not_asked",
    "share_name",
    "state_of",
    "write_attachments",
]
