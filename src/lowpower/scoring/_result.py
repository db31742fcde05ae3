"""What is said of one slide: the record that is printed, written as result.json and sent over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

__all__ = ["NOTICE", "ModelIdentity", "QualityFlag", "QualityRecord", "Record", "Result"]

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


class QualityRecord(Record):
    """What was found on the slide before any network looked at it."""

    area_mm2: float = Field(description="Tissue area, mm2.")
    pieces: int
    white_point: tuple[float, float, float] = Field(description="RGB colour of this slide's glass, 0-255.")
    white_point_source: str
    stain: str = Field(description="What the slide is stained with, and the numbers that say so.")
    flags: tuple[QualityFlag, ...] = ()


class Result(Record):
    """One slide's result. `print(result)` gives the sentence, `result.overlay()` the picture."""

    schema_version: Literal[1] = 1
    file: str
    state: Literal["ok", "refused", "failed"]
    reason: str | None = Field(None, description="Why refused, failed or referred; else warnings, if any.")
    reason_code: str | None = None
    marker: str | None = None
    scheme: str | None = None
    decision: str | None = Field(None, description="A class of the scheme, or 'refer': a human must decide.")
    probabilities: dict[str, float] | None = None
    expected_score: float | None = Field(None, description="Sum of class index x probability.")
    prediction_set: tuple[str, ...] | None = Field(
        None, description="Conformal set: the classes not excluded at the bundle's error rate."
    )
    qc: QualityRecord | None = None
    model: ModelIdentity | None = None
    mpp: float | None = None
    mpp_source: str | None = None
    view_mpp: float | None = Field(None, description="um/px at which the network saw the slide.")
    backend: str | None = None
    slide_sha256: str | None = None
    seconds: float = 0.0
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds per step.")
    forced: bool = False
    software_version: str
    notice: str = NOTICE

    _picture: Image.Image | None = PrivateAttr(None)

    def overlay(self) -> Image.Image:
        """The slide beside the network's explanation, at slide scale.

        Raises:
            ValueError: if the result was not just computed here (read from a file, refused or failed).
        """
        if self._picture is None:
            raise ValueError(
                f"{self.file}: there is no overlay ({self.state}); score the slide again to make one."
            )
        return self._picture

    def with_picture(self, picture: Image.Image) -> Result:
        """The same result carrying its overlay."""
        copy = self.model_copy()
        copy._picture = picture
        return copy

    def __str__(self) -> str:
        name = Path(self.file).name
        if self.state != "ok":
            return f"{name}: {self.state}: {self.reason}"
        shares = ", ".join(f"{key} {value:.2f}" for key, value in (self.probabilities or {}).items())
        why = f" ({self.reason})" if self.reason else ""
        return f"{name}: {self.marker} {self.decision}{why}; probabilities {shares}. {self.notice}"

    def summary_row(self) -> dict[str, Any]:
        """One flat row for a table over many slides."""
        row = {
            key: getattr(self, key)
            for key in ("file", "state", "reason_code", "reason", "marker", "scheme", "decision")
        }
        row["expected_score"] = self.expected_score
        for key, value in (self.probabilities or {}).items():
            row[f"p_{key}"] = value
        row["mpp"], row["mpp_source"], row["seconds"] = self.mpp, self.mpp_source, self.seconds
        return row
