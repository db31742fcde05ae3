"""How good the answers are that a model gives: scores issued and cut-offs decided, and how many are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.evaluation._bootstrap import RESAMPLES
from lowpower.evaluation._evaluate import evaluate_predictions
from lowpower.evaluation._evaluation import Metric
from lowpower.evaluation._proportion import wilson
from lowpower.evaluation.decisions import APPEARANCE_COLUMNS, AREA_COLUMNS, MEASURED_COLUMNS, measured_classes
from lowpower.evaluation.metrics import apply_temperature, parse_predictions
from lowpower.models import Decision

__all__ = ["AnswerTest", "Given", "judge_answers"]


class Given(BaseModel):
    """Answers given to one question on some slides, and how many of them are wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slides: int
    given: int
    wrong: int

    def sentence(self, word: str) -> str:
        """Counts, and Wilson's 95 % interval of the share that is wrong."""
        told = f"{self.given} of {self.slides} {word}"
        if not self.given:
            return told
        low, high = wilson(self.wrong, self.given)
        return f"{told}, {self.wrong} of these wrong ({100 * low:.0f} to {100 * high:.0f} %)"


class AnswerTest(BaseModel):
    """What a model's answers are worth on slides of known score.

    Attributes:
        slides: Test slides.
        measured: Of these, slides on which the measurement took part.
        issued: Scores issued.
        cutoffs: By the cut-off's name, yes and no given.
        off: Slides by how many classes the likeliest score, issued or not, lies from the label, from 0 on;
            empty in records of before it was counted.
        joint: Metrics of network and measurement together, over measured slides; empty without.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = 1
    slides: int
    measured: int
    issued: Given
    cutoffs: dict[str, Given]
    off: tuple[int, ...] = ()
    joint: dict[str, Metric] = Field(default_factory=dict)


def judge_answers(
    table: pl.DataFrame,
    scheme: str | LabelScheme,
    decision: Decision,
    *,
    temperature: float = 1.0,
    resamples: int = RESAMPLES,
) -> AnswerTest:
    """Answer every slide of a test as `score` would, and count.

    Args:
        table: `slide`, `patient`, `label`, `p_...` as the network gave them; `MEASURED_COLUMNS`,
            `AREA_COLUMNS` and `APPEARANCE_COLUMNS` if measured.
        scheme: Label scheme, or its name.
        decision: Of the bundle.
        temperature: Of the network's probabilities.
        resamples: Bootstrap resamples of patients.

    Raises:
        PredictionsError: if the table is none of predictions.
    """
    scheme = scheme_of(scheme)
    found = parse_predictions(table, scheme)
    network = apply_temperature(found.sample.probabilities, temperature)
    numbers, areas, looks = (
        _told(table, names) for names in (MEASURED_COLUMNS, AREA_COLUMNS, APPEARANCE_COLUMNS)
    )
    issued, off, joined = [], [], []
    decided: list[list[bool | None]] = []
    spoken = np.empty_like(network)
    for row, (probabilities, told) in enumerate(zip(network, numbers, strict=True)):
        there = bool(np.isfinite(told).all())
        voice, spoken[row] = decision.hear(
            probabilities,
            told[:4] if there else None,
            float(told[4]) if there else None,
            areas[row] if np.isfinite(areas[row]).all() else None,
        )
        joined.append(voice is not decision.network)
        allowed = measured_classes(scheme, told[:4]) if joined[-1] else None
        if joined[-1] and decision.stranger(looks[row]) is not None:
            allowed = frozenset()
        issued.append(voice.issues(spoken[row], allowed))
        off.append(abs(int(spoken[row].argmax()) - int(found.sample.labels[row])))
        decided.append([voice.at_cutoff(i, spoken[row], allowed)[0] for i in range(len(scheme.cutoffs))])
    labels = found.sample.labels.tolist()
    joint: dict[str, Metric] = {}
    if any(joined):
        rows = np.flatnonzero(joined)
        both = table[rows].with_columns(
            pl.Series(f"p_{index}", spoken[rows, index]) for index in range(len(scheme.classes))
        )
        joint = evaluate_predictions(both, scheme, resamples=resamples).metrics
    return AnswerTest(
        slides=len(labels),
        measured=sum(joined),
        issued=Given(
            slides=len(labels),
            given=sum(issued),
            wrong=sum(given and distance > 0 for given, distance in zip(issued, off, strict=True)),
        ),
        cutoffs={
            cutoff.name: Given(
                slides=len(labels),
                given=sum(answers[index] is not None for answers in decided),
                wrong=sum(
                    answers[index] is not None and answers[index] != (label >= cutoff.at)
                    for answers, label in zip(decided, labels, strict=True)
                ),
            )
            for index, cutoff in enumerate(scheme.cutoffs)
        },
        off=tuple(off.count(distance) for distance in range(len(scheme.classes))),
        joint=joint,
    )


def _told(table: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """(N, names) numbers of a table; not a number where they are not told."""
    if any(name not in table.columns for name in names):
        return np.full((table.height, len(names)), np.nan)
    return table.select(names).cast(pl.Float64).to_numpy()
