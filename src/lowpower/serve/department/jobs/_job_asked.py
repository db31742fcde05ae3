"""What is asked of a slide, and what a worker is given of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lowpower.scoring import Record

__all__ = ["Claimed", "JobAsked"]


class JobAsked(Record):
    """What is asked of a slide, as `lowpower score` and `lowpower measure` take it, or a study."""

    slide: str | None = Field(None, max_length=32, description="Of every job but a study.")
    kind: Literal["score", "measure", "study"] = Field(
        "score",
        description="measure: the stain alone, cell by cell and by rule, without a model's answer. study: "
        "what `lowpower study` does, each arm on each fold.",
    )
    study: str | None = Field(
        None, max_length=4096, description="A study's configuration, below a folder of `study_roots`."
    )
    model: str | None = Field(None, max_length=200, description="The service's if none.")
    regions: bool = Field(False, description="Score inside the regions that are drawn on the slide.")
    region_classes: tuple[str, ...] = Field((), max_length=20)
    control: str = Field("auto", max_length=100, description="auto, none, an end, or x,y,width,height.")
    mpp: float | None = Field(None, gt=0.01, lt=100)
    cells: Literal["tumour", "all"] = "tumour"
    force: bool = Field(False, description="Of a study: forget its units that are done.")
    measure: bool | None = Field(None, description="The service's habit if none.")
    priority: int = Field(100, ge=1, le=1000, description="Lower goes first.")

    @model_validator(mode="after")
    def _of_one_thing(self) -> Self:
        if (self.study is None) == (self.kind == "study") or (self.slide is None) != (self.kind == "study"):
            raise ValueError("a study names its configuration (study), every other job its slide")
        return self


@dataclass(frozen=True)
class Claimed:
    """A job as a worker takes it.

    Attributes:
        id: The job.
        attempt: Which start of it this is.
        slide: The slide's file; of a study its configuration.
        slide_key: Its pseudonym; "" of a study.
        sha256: Its content; "" of a study.
        marker: What it is stained for, where that was said; of a job that measures always.
        asked: What is asked.
        regions: GeoJSON to score inside, where that was asked.
    """

    id: str
    attempt: int
    slide: Path
    slide_key: str
    sha256: str
    marker: str | None
    asked: JobAsked
    regions: dict[str, Any] | None

    @property
    def record_name(self) -> str:
        """The file that its record is written to."""
        return "measurement.json" if self.asked.kind == "measure" else "result.json"
