"""Whether the network and the measured stain say the same, and what follows where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from lowpower.cohort import LabelScheme
from lowpower.scoring.records._measured import Measured
from lowpower.scoring.records._record import Record

__all__ = ["Agreement", "agreement_of", "not_asked"]


class Agreement(Record):
    """The network's likeliest class beside the class that the measured score gives."""

    level: Literal["agree", "adjacent", "disagree", "not measured"]
    sentence: str
    measured_classes: tuple[str, ...] = Field(
        (),
        description="Classes of the scheme that the measured score allows; HER2 2+ without ISH may be two.",
    )
    refers: bool = Field(False, description="Whether the disagreement makes the decision 'refer'.")


def not_asked() -> Agreement:
    """Where the measurement was switched off."""
    return Agreement(level="not measured", sentence="The stain was not measured: it was switched off.")


def agreement_of(
    scheme: LabelScheme, likeliest: str, kept: Sequence[str] | None, measured: Measured | None
) -> Agreement:
    """Compare one slide's two answers.

    The nearest class that the measured score allows is held against the network's likeliest class: the same,
    one apart, or further. With two classes one apart is the whole way and counts as disagreement. A
    disagreement refers where the network's conformal set holds no class that was measured: the network
    excludes what the stain shows.

    Args:
        scheme: The network's.
        likeliest: Its most probable class.
        kept: Its conformal set; None where the bundle has no abstention rule.
        measured: What was measured; None where the marker cannot be.
    """
    score = _score_of(measured, scheme)
    if measured is None or score is None:
        # Why it could not be is among the result's reasons.
        why = f": {scheme.marker} is not measured" if measured is None else ""
        return Agreement(level="not measured", sentence=f"No score was measured beside the network's{why}.")
    allowed = _classes(scheme, score)
    told = f"The network says {likeliest}, measured {measured.score or f'{measured.percent:.1f} %'}"
    if measured.score is None:
        told += f" ({allowed[0]})"
    if scheme.classes != ("0", "1+", "2+", "3+") and scheme.marker == "HER2":
        told += f" ({' or '.join(allowed)})"
    apart = min(abs(scheme.classes.index(likeliest) - scheme.classes.index(name)) for name in allowed)
    if apart == 0:
        return Agreement(level="agree", sentence=f"{told}.", measured_classes=allowed)
    if apart == 1 and len(scheme.classes) > 2:
        return Agreement(level="adjacent", sentence=f"{told}: one class apart.", measured_classes=allowed)
    refers = kept is None or not set(kept) & set(allowed)
    far = "opposite" if len(scheme.classes) == 2 else f"{apart} classes apart"
    return Agreement(level="disagree", sentence=f"{told}: {far}.", measured_classes=allowed, refers=refers)


def _score_of(measured: Measured | None, scheme: LabelScheme) -> str | None:
    """What was measured, as a manifest would spell it: a Ki-67 has a percentage and no status of its own."""
    if measured is not None and measured.score == "0" and "null" in scheme.classes:
        return f"her2-{measured.group}"
    if measured is None or measured.score is not None or measured.marker != "Ki-67":
        return None if measured is None else measured.score
    return None if measured.percent is None else f"{measured.percent:.4f}"


def _classes(scheme: LabelScheme, score: str) -> tuple[str, ...]:
    """Classes that a measured score allows: in-situ hybridisation, which decides 2+, is not known."""
    indices = {scheme.label(score, ish).index for ish in ("negative", "positive")}
    return tuple(scheme.classes[index] for index in sorted(indices))
