"""What a test comes to, in sentences for somebody who reads nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.cohort import scheme_of
from lowpower.evaluation import AnswerTest, Evaluation
from lowpower.models import Decision, Selective
from lowpower.reports._page_parts import say
from lowpower.scoring import Result

__all__ = ["Elsewhere", "answer_sentences", "elsewhere_sentence", "issue_rule", "said_once"]

_NUMBERS: Final = ("none", "one class", "two classes", "three classes")
_FAR: Final = 2
"""Classes off from which on a mistake is named, and not only counted."""
_MOST_NAMED: Final = 3
_OFTEN: Final = 3
"""Slides that share a reason from which on it is told once for all."""


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A slide of another laboratory: its result, and the score it was given there."""

    result: Result
    label: str

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.result.file).name

    @property
    def off(self) -> int | None:
        """How many classes the likeliest score lies from the label; None where one says nothing."""
        told = self.result
        if told.answer is None or told.scheme is None:
            return None
        scheme = scheme_of(told.scheme)
        likeliest, labelled = scheme.classes.index(told.answer.likeliest), scheme.possible(self.label)
        if len(labelled) == len(scheme.classes):
            return None
        return min(abs(likeliest - one) for one in labelled)


def answer_sentences(
    evaluation: Evaluation, answers: AnswerTest | None, decision: Decision | None = None
) -> tuple[str, ...]:
    """How good, how far off, what is issued, and every cut-off.

    Args:
        evaluation: The network's on the test slides.
        answers: What the model's answers are worth there; None for a model without rules for them.
        decision: Its rules, which say why nothing is issued where that is so.
    """
    metrics = evaluation.metrics
    network = f"the network alone macro AUC {say(metrics['auc_macro'])}, accuracy {say(metrics['accuracy'])}"
    tested = f"On {evaluation.slides} test slides of {evaluation.patients} patients that it never saw, "
    if answers is None:
        return (f"{tested}{network}.",)
    if answers.joint:
        both = answers.joint
        how = (
            f"{tested}network and measurement together reach macro AUC {say(both['auc_macro'])}, accuracy "
            f"{say(both['accuracy'])}; {network}."
        )
    else:
        how = f"{tested}{network}; the measurement takes no part."
    if answers.off:
        whose = "The likeliest score of both together" if answers.joint else "Its likeliest score"
        how += f" {whose} is {_distances(dict(enumerate(answers.off)))}."
    sure = f"It issues a score where it is sure: {answers.issued.sentence('slides')}."
    rule = issue_rule(decision)
    if not answers.issued.given:
        sure = "It is sure enough of no score to issue it."
        if rule is not None and rule.threshold is None:
            sure = f"It issues no score: {rule.note}."
    cutoffs = "; ".join(f"{name}: {given.sentence('decided')}" for name, given in answers.cutoffs.items())
    return (how, sure, *([f"Cut-offs that decide treatment: {cutoffs}."] if cutoffs else []))


def issue_rule(decision: Decision | None) -> Selective | None:
    """By what a model issues scores where the stain was measured, if the measurement takes part."""
    if decision is None:
        return None
    return decision.network.issue if decision.joint is None else decision.joint.voice.issue


def elsewhere_sentence(slides: Sequence[Elsewhere]) -> str:
    """What the same model says of another laboratory's slides, the mistakes that are furthest off by name."""
    scored = [slide for slide in slides if slide.result.answer is not None]
    issued = [slide for slide in scored if slide.result.outcome == "issued"]
    counts = Counter(slide.off for slide in scored if slide.off is not None)
    told = f"On {len(slides)} slides of another laboratory "
    if counts:
        told += f"the likeliest score is {_distances(counts)}"
        furthest = max(counts)
        if furthest >= _FAR:
            named = [slide for slide in scored if slide.off == furthest]
            told += f" ({'; '.join(_mistake(slide) for slide in named[:_MOST_NAMED])})"
        told += ". "
    wrong = sum(slide.result.decision != slide.label for slide in issued)
    given = (
        f"issues {len(issued)} of these scores, {wrong} wrong," if issued else "issues none of these scores"
    )
    refused = len(slides) - len(scored)
    told += f"{'It' if counts else 'it'} {given} and refers {len(scored) - len(issued)}"
    return f"{told}{f'; {refused} refused' if refused else ''}."


def _distances(counts: dict[int, int]) -> str:
    """Classes off and on how many slides: "right on 29, one class off on 4, none further"."""
    if not any(counts[distance] for distance in counts if distance):
        return f"right on all {counts[0]}"
    parts = [f"right on {counts.get(0, 0)}"]
    off = [distance for distance in sorted(counts) if distance and counts[distance]]
    parts += [f"{_NUMBERS[min(one, len(_NUMBERS) - 1)]} off on {counts[one]}" for one in off]
    said = ", ".join(parts)
    return said if off and off[-1] >= _FAR else f"{said}, none further"


def _mistake(slide: Elsewhere) -> str:
    issued = "; issued" if slide.result.outcome == "issued" else ""
    return f"{slide.name}, labelled {slide.label}: {slide.result.headline}{issued}"


def said_once(results: Sequence[Result]) -> tuple[list[tuple[str, int]], list[str]]:
    """Reasons that many slides share, each with their number; and what is left to say of each slide."""
    counts = {
        reason: sum(any(other.startswith(reason) for other in result.reasons) for result in results)
        for result in results
        for reason in result.reasons
    }
    shared = [(reason, count) for reason, count in counts.items() if count >= _OFTEN]
    left = []
    for result in results:
        own = list(result.reasons) if result.reasons else [result.reason or ""]
        for reason, _ in shared:
            own = [one.removeprefix(reason).strip() for one in own]
        left.append(" ".join(one for one in own if one).replace(result.file, Path(result.file).name))
    return shared, left
