"""Scoring: one slide in, one result out, or many slides with a state each."""

from lowpower.scoring._calibrate import calibrate
from lowpower.scoring._subtypes import PatientSubtype, subtypes_of, write_subtypes
from lowpower.scoring.batch import Batch, ReaderAgreement, measure_files, page_environment, score_files
from lowpower.scoring.pictures import Explanation
from lowpower.scoring.records import (
    CELL_COLOURS,
    NOTICE,
    Asked,
    Measured,
    MeasuredSlide,
    QualityFlag,
    QualityRecord,
    Record,
    Result,
    class_names,
    share_name,
    write_attachments,
)
from lowpower.scoring.requests import ScoreRequest
from lowpower.scoring.slide import habit_of, score

__all__ = [
    "CELL_COLOURS",
    "NOTICE",
    "Asked",
    "Batch",
    "Explanation",
    "Measured",
    "MeasuredSlide",
    "PatientSubtype",
    "QualityFlag",
    "QualityRecord",
    "ReaderAgreement",
    "Record",
    "Result",
    "ScoreRequest",
    "calibrate",
    "class_names",
    "habit_of",
    "measure_files",
    "page_environment",
    "score",
    "score_files",
    "share_name",
    "subtypes_of",
    "write_attachments",
    "write_subtypes",
]
