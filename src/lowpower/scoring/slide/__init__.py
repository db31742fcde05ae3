"""One slide in, one record out."""

from lowpower.scoring.slide._measure_slide import FieldProgress, measure_slide
from lowpower.scoring.slide._quality_flags import flag_records, habit_of
from lowpower.scoring.slide._score_slide import model_identity, score, scored

__all__ = [
    "FieldProgress",
    "flag_records",
    "habit_of",
    "measure_slide",
    "model_identity",
    "score",
    "scored",
]
