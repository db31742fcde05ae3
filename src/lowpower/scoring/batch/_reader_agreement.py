"""How a run agrees with the scores that a manifest gives: confusion and kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme, SlideInput
from lowpower.errors import CohortError
from lowpower.evaluation import kappa_quadratic
from lowpower.scoring.records import SlideRecord
from lowpower.scoring.requests import ScoreRequest
from lowpower.stain import Laboratory

__all__ = ["ReaderAgreement", "agreement_with_readers", "fitted_to", "of_marker"]


@dataclass(frozen=True, eq=False)
class ReaderAgreement:
    """The likeliest class of each slide against its label.

    Attributes:
        scheme: Whose classes.
        confusion: (K, K) int, labels down, what was said across.
        kappa: Quadratic-weighted (Cohen 1968); None where all are of one class.
        left_out: Labelled slides without an answer (refused, failed, nothing measured).
        unusable: Why a label could not be used, one sentence a kind of label.
    """

    scheme: LabelScheme
    confusion: NDArray[np.int64]
    kappa: float | None
    left_out: int
    unusable: tuple[str, ...] = ()

    @property
    def slides(self) -> int:
        """Slides with a label and an answer."""
        return int(self.confusion.sum())

    def sentence(self) -> str:
        """The counts and kappa in one line."""
        same = int(np.trace(self.confusion))
        kappa = "not defined (one class)" if self.kappa is None else f"{self.kappa:.2f}"
        left = f"; {self.left_out} labelled without an answer" if self.left_out else ""
        return (
            f"Against the manifest's scores ({self.scheme.name}): {same} of {self.slides} the same, "
            f"quadratic-weighted kappa {kappa}{left}."
        )


def fitted_to(records: Sequence[SlideRecord], request: ScoreRequest) -> tuple[str, ...]:
    """That the laboratory's own cut-offs know the scores of slides whose agreement is told."""
    own = request.laboratory
    if not isinstance(own, Laboratory):
        return ()
    known = sum(record.slide_sha256 in (own.fitted.contents or ()) for record in records)
    if not known:
        return ()
    slides = "1 slide is" if known == 1 else f"{known} slides are"
    return (
        f"{slides} among those that the cut-offs of {own.name!r} were fitted to: agreement on them promises "
        "too much.",
    )


def of_marker(
    slides: Sequence[SlideInput], marker: str, whose: str
) -> tuple[list[SlideInput], tuple[str, ...]]:
    """The slides that are stained for `marker` or say nothing of it, and a note on those left out.

    Args:
        slides: All.
        marker: What is scored or measured.
        whose: What asks for that marker, for the note.
    """
    kept = [slide for slide in slides if slide.marker in (None, marker)]
    others = Counter(slide.marker for slide in slides if slide.marker not in (None, marker))
    if not others:
        return kept, ()
    told = ", ".join(f"{count} of {other}" for other, count in sorted(others.items(), key=str))
    verb = "is" if sum(others.values()) == 1 else "are"
    return kept, (f"{told} in the manifest {verb} left out: {whose} is {marker}.",)


def agreement_with_readers(
    scheme: LabelScheme, slides: Sequence[SlideInput], said: Sequence[str | None]
) -> ReaderAgreement | None:
    """Hold what was said of slides against their labels; None where no slide has one.

    Args:
        scheme: Gives each label its class; in-situ hybridisation decides as in training.
        slides: With `score` and `ish`, where a manifest gives them.
        said: Likeliest class of each; None without an answer.
    """
    labels, answers, unusable, left_out = [], [], [], 0
    for slide, answer in zip(slides, said, strict=True):
        if slide.score is None:
            continue
        try:
            label = scheme.label(slide.score, slide.ish).index
        except CohortError as error:
            unusable.append(str(error))
            continue
        if answer not in scheme.classes:
            left_out += 1
            continue
        labels.append(label)
        answers.append(scheme.classes.index(answer))
    if not labels and not left_out and not unusable:
        return None
    classes = len(scheme.classes)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, answers), 1)
    kappa = kappa_quadratic(np.array(labels), np.eye(classes)[answers]) if labels else None
    return ReaderAgreement(scheme, confusion, kappa, left_out, tuple(dict.fromkeys(unusable)))
