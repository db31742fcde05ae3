"""What a deployed bundle's card says of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from lowpower.experiments.plan import Experiment

__all__ = ["CARD_NOTES", "card_notes"]

CARD_NOTES: Final = "## How it was made"


def card_notes(
    config: Experiment,
    arm: str,
    why: str,
    *,
    fold: int | Literal["all"],
    parts: Mapping[str, int],
    finished: tuple[int, ...],
    refit: bool,
    tested: bool,
    crossed: bool,
    calibrated: tuple[int, int],
) -> str:
    """Markdown for the end of a model card.

    Args:
        config: The study.
        arm: The arm's name.
        why: Why this arm.
        fold: Whose model it is.
        parts: Slides of each part of that fold.
        finished: The arm's finished folds.
        refit: Whether it was trained again on every slide.
        tested: Whether test slides were predicted.
        crossed: Whether models of other folds within the training slides predicted what it was calibrated on.
        calibrated: Slides that its rules were fitted on, and how many of them validated the model itself.
    """
    folds = f"fold{'s' if len(finished) > 1 else ''} {', '.join(map(str, finished))}"
    if fold == "all":
        model = (
            f"The mean of the probabilities of the models of {folds}, each calibrated on its own "
            "validation slides."
        )
    elif refit:
        model = (
            f"Trained again on every slide of the cohort: it learnt from {parts['train'] + parts['test']}, "
            f"and the {parts['validation']} validation slides of fold {fold} stopped it. No slide is left to "
            "test this very model."
        )
    else:
        model = (
            f"The model of fold {fold}, as it was trained there: it learnt from {parts['train']} slides, and "
            f"{parts['validation']} stopped it. It was **not** trained again on every slide of the cohort."
        )
    number, own = calibrated
    where = f"of fold {fold}"
    if crossed:
        where = "of its training and validation, each by a model that had not learnt from it"
    elif number != own:
        where = f"of {folds}, each by a model that had not learnt from it"
    figures = (
        f"The figures under test slides are those of the arm on the test slides of {folds}, each slide by "
        "the model of its fold; no test slide chose the arm or fitted a rule."
        if tested
        else "Figures under test slides are those of `lowpower evaluate`; no test slide was opened before."
    )
    lines = [
        CARD_NOTES,
        "",
        f"`lowpower deploy` of {config.name}, arm {arm}: {why}",
        "",
        model,
        "",
        f"Its rules for what is issued were fitted on {number} slides ({where}). {figures}",
        "",
    ]
    return "\n".join([*lines, *(f"- {note}" for note in config.notes)])
