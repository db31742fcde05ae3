"""What a deployed bundle's card says of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lowpower.experiments.plan import StudyConfig

__all__ = ["card_notes"]


def card_notes(
    config: StudyConfig,
    arm: str,
    why: str,
    *,
    fold: int | Literal["all"],
    parts: Mapping[str, int],
    finished: tuple[int, ...],
    refit: bool,
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
            f"The model of fold {fold}, as the study trained it: it learnt from {parts['train']} slides, and "
            f"{parts['validation']} stopped it. It was **not** trained again on every slide of the cohort."
        )
    number, own = calibrated
    where = f"of fold {fold}"
    if number != own:
        where = f"of {folds}, each by a model that had not learnt from it"
    lines = [
        "## How it was made",
        "",
        f"`lowpower deploy` of the study {config.name}, arm {arm}: {why}",
        "",
        model,
        "",
        f"Its rules for what is issued were fitted on {number} validation slides ({where}). The figures "
        f"under test slides are those of the arm on the test slides of {folds}, each slide by the "
        "model of its fold; no test slide chose the arm or fitted a rule.",
        "",
    ]
    return "\n".join([*lines, *(f"- {note}" for note in config.notes)])
