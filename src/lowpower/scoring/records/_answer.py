"""What is said of one slide: the likeliest score, each treatment cut-off, and whether a score is issued."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lowpower.scoring.records._record import Record

__all__ = ["Answer", "ControlDoubt", "ControlWay", "CutoffAnswer"]


class CutoffAnswer(Record):
    """One question that decides treatment."""

    cutoff: str = Field(description="As reports name it, for instance '3+ | rest'.")
    question: str = Field(description="For a yes or no, for instance 'at least 1+'.")
    answer: Literal["yes", "no", "undetermined"]
    probability: float | None = Field(None, description="Of a yes; none where only measured.")
    error: float | None = Field(
        None, description="Share of such answers that may be wrong; none where no rate is stated."
    )

    @property
    def sentence(self) -> str:
        """Question, probability of a yes on this slide, and the answer with the rate of all such answers."""
        asked = self.question
        if self.probability is not None:
            asked = f"{asked} ({self.probability:.2f} probable here)"
        if self.answer == "undetermined":
            return f"{asked}: undetermined"
        rate = (
            ", as measured; no error rate is stated"
            if self.error is None
            else f", at most {self.error:.0%} of all such answers wrong"
        )
        return f"{asked}: {self.answer}{rate}"


class Answer(Record):
    """The likeliest class, always, and what may be said at a stated rate of error."""

    likeliest: str
    probability: float = Field(description="Of the likeliest class.")
    probabilities: dict[str, float] = Field(description="Of every class, by what `by` names.")
    by: Literal["network", "measurement", "network and measurement"] = Field(
        description="`network`: the model alone, whatever its kind; `measurement`: what was measured."
    )
    issued: bool = Field(description="Whether the likeliest class is the decision; otherwise refer.")
    error: float | None = Field(
        None, description="Share of issued scores that may be wrong; none where nothing is promised."
    )
    confidence: float | None = Field(None, description="Probability with which that promise holds.")
    why: str | None = Field(None, description="Why the slide is referred.")
    not_excluded: tuple[str, ...] | None = Field(None, description="Conformal set of `probabilities`.")
    cutoffs: tuple[CutoffAnswer, ...] = ()

    @property
    def promise(self) -> str:
        """What is promised of issued scores, in one sentence."""
        if self.error is None or self.confidence is None:
            return "This model makes no promise about any score."
        return (
            f"Of scores issued, at most {self.error:.0%} are wrong on patients like those of its validation "
            f"(with {self.confidence:.0%} confidence)."
        )


class ControlWay(Record):
    """The slide answered with some of its tissue left out, or with none."""

    left_out: tuple[int, int, int, int] | None = Field(
        description="Box of the tissue left out: x, y, width, height in base pixels; none in the first way."
    )
    area_mm2: float | None = Field(description="Its area.")
    end: str | None = Field(description="The end of the slide that names it, if one does.")
    answer: Answer | None = Field(description="None where nothing could be scored.")
    measured: str | None = Field(None, description="The measured score.")
    problem: str | None = Field(None, description="Why nothing could be scored.")

    @property
    def sentence(self) -> str:
        """The answer in short."""
        if self.answer is None:
            return "nothing can be scored"
        beside = f", measured {self.measured}" if self.measured else ""
        return f"{self.answer.likeliest} ({self.answer.probability:.2f}){beside}"


class ControlDoubt(Record):
    """Tissue that may be control, and whether the answer depends on it."""

    ways: tuple[ControlWay, ...] = Field(
        description="First with all tissue, then without each doubtful group."
    )
    agree: bool = Field(
        description="Whether class, measured score and every cut-off are the same in all ways."
    )
    sentence: str
