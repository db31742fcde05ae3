"""What is said of one slide: the record that is printed, written as result.json and sent over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from PIL import Image
from pydantic import Field

from lowpower.errors import as_sentence, one_line
from lowpower.scoring.records._agreement_record import Agreement
from lowpower.scoring.records._answer import Answer, ControlDoubt
from lowpower.scoring.records._measured import Measured
from lowpower.scoring.records._record import NOTICE, DrawnRegions, ModelIdentity, QualityRecord
from lowpower.scoring.records._slide_record import SlideRecord
from lowpower.slides import as_html

__all__ = ["REFER", "Result"]

REFER: Final = "refer"


class Result(SlideRecord):
    """One slide's result. `print(result)` gives the sentence, `result.overlay()` the picture."""

    schema_version: Literal[1, 2] = 2
    marker: str | None = None
    scheme: str | None = None
    decision: str | None = Field(None, description="A class of the scheme, or 'refer': a human must decide.")
    reasons: tuple[str, ...] = Field((), description="Every reason for a referral and every warning.")
    answer: Answer | None = Field(
        None,
        description="The likeliest class and each cut-off, whether issued or referred; none in version 1.",
    )
    probabilities: dict[str, float] | None = Field(None, description="The network's, without measurement.")
    expected_score: float | None = Field(None, description="The network's: sum of class index x probability.")
    prediction_set: tuple[str, ...] | None = Field(
        None, description="The network's conformal set: classes not excluded at the bundle's error rate."
    )
    qc: QualityRecord | None = None
    measured: Measured | None = Field(None, description="The stain as measured, beside the network's answer.")
    agreement: Agreement | None = Field(
        None, description="Whether the two say the same; none where the model answers from the measurement."
    )
    control_doubt: ControlDoubt | None = Field(
        None, description="Tissue that may be control: the answers with and without it."
    )
    model: ModelIdentity | None = None
    mpp: float | None = None
    mpp_source: str | None = None
    view_mpp: float | None = Field(None, description="um/px at which the network saw the slide.")
    backend: str | None = None
    seconds: float = 0.0
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds per step.")
    forced: bool = False
    regions: DrawnRegions | None = Field(None, description="The tumour regions, where they were given.")
    control: str = Field("auto", description="Said of control tissue: auto, none, an end, a box or a file.")
    notice: str = NOTICE

    @property
    def was_measured(self) -> bool:
        """Whether the stain was looked at beside the network; `measured` says what came of it."""
        return self.measured is not None

    @property
    def outcome(self) -> str:
        """What became of it: issued or refer; refused or failed."""
        if self.state != "ok":
            return self.state
        return REFER if self.decision == REFER else "issued"

    @property
    def headline(self) -> str:
        """The answer in a line: issued, or likeliest and referred; the reasons stand apart."""
        if self.state != "ok":
            return self.state
        if self.answer is None:
            return f"{self.marker} {self.decision}"
        likely = f"{self.answer.likeliest} ({self.answer.probability:.2f})"
        beside = f", {self.measured_as}" if self.measured_as else ""
        if self.decision == REFER:
            return f"{self.marker} likely {likely}{beside}; refer"
        return f"{self.marker} {likely}{beside}"

    @property
    def measured_as(self) -> str:
        """What was measured, in two words; empty where nothing was."""
        told = self.measured
        if told is None or (told.score is None and told.percent is None):
            return ""
        return f"measured {told.score}" if told.score is not None else f"measured {told.percent:.1f} %"

    @property
    def measured_sentence(self) -> str:
        """What was measured, a sentence; empty where nothing was: `reasons` say why."""
        told = self.measured
        return "" if told is None or told.shares is None else as_sentence(told.sentence)

    def overlay(self) -> Image.Image:
        """The slide beside the network's explanation, at slide scale.

        Raises:
            ValueError: if there is none: refused, failed, read from a bare file, or not asked for.
        """
        picture = self._made.picture("overlay")
        if picture is None:
            raise ValueError(
                f"{self.file}: there is no overlay ({self.state}); score the slide again to make one."
            )
        return picture

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {
            "because" if n == 0 else f"({n + 1})": r for n, r in enumerate(self.reasons)
        }
        facts |= {cutoff.question: cutoff.answer for cutoff in (self.answer.cutoffs if self.answer else ())}
        if self.measured_sentence:
            facts["measured"] = self.measured_sentence
        if self.state != "ok":
            facts[self.state] = self.reason or ""
        facts["notice"] = self.notice
        title = f"{one_line(Path(self.file).name)}: {self.headline}"
        return as_html(title, facts, self._made.picture("overlay"))

    def __str__(self) -> str:
        name = Path(self.file).name
        if self.state != "ok":
            return f"{name}: {self.state}: {self.reason}"
        why = f". {self.reason}" if self.reason else ""
        answers = self.answer.cutoffs if self.answer else ()
        cutoffs = "; ".join(cutoff.sentence for cutoff in answers)
        beside = f" {self.measured_sentence}" if self.measured_sentence else ""
        agreement = f" Network and measurement: {self.agreement.level}." if self.agreement else ""
        stated = f" {as_sentence(cutoffs)}." if cutoffs else ""
        return f"{name}: {self.headline}{why.rstrip('.')}.{stated}{beside}{agreement} {self.notice}"

    @property
    def beside_network(self) -> bool:
        """Whether the answer's probabilities are others than the model's own."""
        return self.answer is not None and self.answer.probabilities != self.probabilities

    def summary_row(self) -> dict[str, Any]:
        """One flat row for a table over many slides."""
        row = super().summary_row()
        row |= {key: getattr(self, key) for key in ("marker", "scheme", "decision")}
        answer = self.answer
        row["likeliest"] = answer.likeliest if answer else None
        row["probability"] = answer.probability if answer else None
        row["issued"] = self.decision != REFER if answer else None
        for cutoff in answer.cutoffs if answer else ():
            row[cutoff.question] = cutoff.answer
        for key, value in (answer.probabilities if answer else {}).items():
            row[f"joint_{key}"] = value if self.beside_network else None
        row["expected_score"] = self.expected_score
        for key, value in (self.probabilities or {}).items():
            row[f"p_{key}"] = value
        row["measured_score"] = self.measured.score if self.measured else None
        row["measured_percent"] = self.measured.percent if self.measured else None
        row["measured_h_score"] = self.measured.h_score if self.measured else None
        row["agreement"] = self.agreement.level if self.agreement else None
        row["mpp"], row["mpp_source"], row["seconds"] = self.mpp, self.mpp_source, self.seconds
        row["runtime"] = self.runtime
        return row
