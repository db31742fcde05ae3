"""The base of every record, and what is said of model and quality."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["NOTICE", "Asked", "DrawnRegions", "ModelIdentity", "QualityFlag", "QualityRecord", "Record"]

NOTICE = "Research use only: not a medical device."


class Record(BaseModel):
    """What is written to a file or sent over HTTP: no unknown keys, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelIdentity(Record):
    """Which model bundle answered."""

    name: str
    version: str
    sha256: str = Field(description="SHA-256 of the bundle's weights.")
    trained_on: str = Field(description="One line on the training cohort; says so where it was simulated.")


class QualityFlag(Record):
    """One thing noticed on the slide, and what it does to the result."""

    code: str
    message: str
    effect: Literal["note", "warn", "refuse"]
    area_mm2: float | None = Field(None, description="Area it concerns, where it has one, mm2.")
    box: tuple[int, int, int, int] | None = Field(
        None, description="Where: x, y, width, height in base pixels."
    )
    end: str | None = Field(None, description="Control tissue: the end of the slide at which it lies.")


class QualityRecord(Record):
    """What was found on the slide before any network looked at it."""

    area_mm2: float = Field(description="Tissue area, mm2.")
    pieces: int
    white_point: tuple[float, float, float] = Field(description="RGB colour of this slide's glass, 0-255.")
    white_point_source: str
    stain: str = Field(description="What the slide is stained with, and the numbers that say so.")
    flags: tuple[QualityFlag, ...] = ()


class Asked(Record):
    """The options that a record was made with; a file by its name and SHA-256."""

    mpp: float | None = Field(None, description="um/px that was given, over what the file says.")
    scene: str | None = Field(None, description="Scene or optical path that was asked for.")
    plane: int | None = Field(None, description="Focal plane that was asked for, from 1.")
    control: str = "auto"
    regions: str | None = None
    region_classes: tuple[str, ...] = Field((), description="Classes of regions named to count beside Tumor.")
    mask: str | None = None
    laboratory: str | None = Field(None, description="Whose cut-offs counted; none: the usual.")
    cells: Literal["tumour", "all"] = Field("tumour", description="Which cells counted.")
    force: bool = False
    measure: bool = True
    pictures: bool = True
    effort: Literal["full", "guided"] = Field("full", description="Whether all fields were to be read.")
    seconds: float | None = Field(None, description="Budget of guided reading.")
    seed: int = Field(0, description="Of guided draws.")
    precision: Literal["exact", "fast"] = Field("exact", description="How networks were asked to run.")


class DrawnRegions(Record):
    """The tumour regions that were given: which areas counted and which did not, by class."""

    counted: dict[str, int] = Field(description="Areas of each class that counted.")
    cut_out: dict[str, int] = Field(description="Areas cut out of those: Ignore* and its like.")
    left_out: dict[str, int] = Field(description="Areas of other classes, which count for nothing.")
    area_mm2: float = Field(description="What counts, mm2, with glass inside it.")
