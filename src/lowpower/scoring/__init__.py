"""Scoring: one slide in, one result out, or many slides with a state each."""

from lowpower.scoring._agreement import Agreement
from lowpower.scoring._attachments import write_attachments
from lowpower.scoring._batch import Batch
from lowpower.scoring._calibrate import Calibration, SlideAgreement, calibrate
from lowpower.scoring._cell_look import COLOURS as CELL_COLOURS
from lowpower.scoring._cell_look import class_names
from lowpower.scoring._measure_files import measure_files
from lowpower.scoring._measured import Measured, MeasuredSlide
from lowpower.scoring._overlay import Explanation, draw_overlay
from lowpower.scoring._page import page_environment
from lowpower.scoring._quality import habit_of
from lowpower.scoring._reader_agreement import ReaderAgreement
from lowpower.scoring._record import NOTICE, Asked, ModelIdentity, QualityFlag, QualityRecord, Record
from lowpower.scoring._request import ScoreRequest
from lowpower.scoring._result import Result
from lowpower.scoring._score import score
from lowpower.scoring._score_files import score_files
from lowpower.scoring._subtypes import (
    NOT_DETERMINED,
    PatientSubtype,
    subtype_table,
    subtypes_of,
    write_subtypes,
)

__all__ = [
    "CELL_COLOURS",
    "NOTICE",
    "NOT_DETERMINED",
    "Agreement",
    "Asked",
    "Batch",
    "Calibration",
    "Explanation",
    "Measured",
    "MeasuredSlide",
    "ModelIdentity",
    "PatientSubtype",
    "QualityFlag",
    "QualityRecord",
    "ReaderAgreement",
    "Record",
    "Result",
    "ScoreRequest",
    "SlideAgreement",
    "calibrate",
    "class_names",
    "draw_overlay",
    "habit_of",
    "measure_files",
    "page_environment",
    "score",
    "score_files",
    "subtype_table",
    "subtypes_of",
    "write_attachments",
    "write_subtypes",
]
