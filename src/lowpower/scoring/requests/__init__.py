"""What is asked of a slide: the request, and what a person drew for it."""

from lowpower.scoring.requests._drawn import check_drawn, regions_on, regions_record, within
from lowpower.scoring.requests._folders import write_table
from lowpower.scoring.requests._mpp_given import mpp_doubts
from lowpower.scoring.requests._request import Model, ScoreOptions, ScoreRequest, asked

__all__ = [
    "Model",
    "ScoreOptions",
    "ScoreRequest",
    "asked",
    "check_drawn",
    "mpp_doubts",
    "regions_on",
    "regions_record",
    "within",
    "write_table",
]
