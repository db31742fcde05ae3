"""What a test comes to, in sentences for somebody who reads nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowpower.evaluation import AnswerTest, Evaluation
from lowpower.reports._page_parts import say
from lowpower.scoring import Result

__all__ = ["Elsewhere", "answer_sentences", "elsewhere_sentence"]


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A slide of another laboratory: its result, and the score it was given there."""

    result: Result
    label: str


def answer_sentences(evaluation: Evaluation, answers: AnswerTest | None) -> tuple[str, ...]:
    """How good, where sure, where not.

    Args:
        evaluation: The network's on the test slides.
        answers: What the model's answers are worth there; None for a model without rules for them.
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
    surest = max(answers.cutoffs, key=lambda name: answers.cutoffs[name].given, default=None)
    least = min(answers.cutoffs, key=lambda name: answers.cutoffs[name].given, default=None)
    sure = f"It issues a score where it is sure: {answers.issued.sentence('slides')}."
    if not answers.issued.given:
        sure = "It issues no score: too few validation slides, or too many mistakes on them, for its promise."
    if surest is None or least is None or not answers.cutoffs[surest].given:
        return how, sure
    where = f"Surest at {surest}: {answers.cutoffs[surest].sentence('decided')}."
    if least != surest:
        where += f" Least sure at {least}: {answers.cutoffs[least].sentence('decided')}."
    return how, sure, where


def elsewhere_sentence(slides: Sequence[Elsewhere]) -> str:
    """What the same model says of another laboratory's slides."""
    scored = [slide for slide in slides if slide.result.answer is not None]
    issued = [slide for slide in scored if slide.result.outcome == "issued"]
    wrong = sum(slide.result.decision != slide.label for slide in issued)
    right = sum(
        slide.result.answer is not None and slide.result.answer.likeliest == slide.label for slide in scored
    )
    refused = len(slides) - len(scored)
    told = (
        f"On {len(slides)} slides of another laboratory it issues {len(issued)}, {wrong} of these wrong, and "
        f"refers {len(scored) - len(issued)}; the likeliest score is right on {right}"
    )
    return f"{told}{f'; {refused} refused' if refused else ''}."
