"""One table of validation predictions in, everything that decides what may be said out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.evaluation.decisions._abstention import fit_conformal
from lowpower.evaluation.decisions._combine import fit_combination, out_of_fold
from lowpower.evaluation.decisions._measured_classes import measured_classes
from lowpower.evaluation.decisions._selective import fit_selective
from lowpower.evaluation.metrics import Predictions, apply_temperature, parse_predictions
from lowpower.models import (
    APPEARANCE,
    ConformalLimits,
    CutoffRule,
    Decision,
    Familiar,
    Joint,
    Voice,
)

__all__ = ["APPEARANCE_COLUMNS", "AREA_COLUMNS", "MEASURED_COLUMNS", "DecisionOptions", "fit_decision"]

MEASURED_COLUMNS: Final = (*(f"measured_share_{grade}" for grade in range(4)), "measured_h_score")
"""Shares of tumour-like cells from not stained to strongest, and the H-score; null where not measured."""
AREA_COLUMNS: Final = ("measured_area_weak", "measured_area_moderate", "measured_area_strong")
"""Shares of tissue by DAB; null where not known."""
APPEARANCE_COLUMNS: Final = tuple(f"appearance_{name}" for name in APPEARANCE)
"""What `lowpower.models.appearance_of` gives; null where not known."""
_LEAST_PER_CLASS: Final = 5
_FEWEST_FAMILIAR: Final = 20
"""Patients: with 20 a slide like theirs is taken for another laboratory's once in 21 times at most."""
_EVEN: Final = 0.5
_UNHEARD: Final = "its network alone is not believed on slides of laboratories that it did not learn from"


@dataclass(frozen=True, slots=True)
class DecisionOptions:
    """What is promised.

    Attributes:
        error: Share of issued scores that may be wrong.
        cutoff_error: Share of yes and no at one cut-off that may be wrong.
        confidence: Probability with which each of these holds on patients like those of the validation.
        coverage: Share of conformal sets that hold the truth.
        class_conditional: Whether that holds within each class.
        hear_network: Whether the network takes part where the stain was measured; otherwise the measurement
            alone decides there, the network stands beside it, and without a measurement nothing is answered
            but what is likeliest. For models that go to laboratories they did not learn from: cells are
            counted alike there, networks see what they never saw.
    """

    error: float = 0.1
    cutoff_error: float = 0.05
    confidence: float = 0.9
    coverage: float = 0.9
    class_conditional: bool = False
    hear_network: bool = True


def fit_decision(
    table: pl.DataFrame,
    scheme: str | LabelScheme,
    *,
    temperature: float = 1.0,
    options: DecisionOptions | None = None,
) -> Decision:
    """Fit when answers are issued, from the network alone and, where the table holds them, from both.

    What combines network and measurement is fitted on all rows; what is calibrated is cross-fitted: each
    patient's joint probabilities come from a combination that never saw that patient. Nothing is said against
    the measured score, then or later, nor of slides unlike all of these. Each rule is fitted on one slide a
    patient, since its bound counts independent answers.

    Args:
        table: Validation predictions: `slide`, `patient`, `label`, `p_...` as the network gave them, and
            `MEASURED_COLUMNS` if the stain was measured, `AREA_COLUMNS` too where areas may take part,
            `APPEARANCE_COLUMNS` where slides unlike these shall be told.
        scheme: Label scheme, or its name.
        temperature: Of the network's probabilities.
        options: What is promised.

    Raises:
        PredictionsError: if the table is none of predictions.
    """
    scheme, options = scheme_of(scheme), options or DecisionOptions()
    found = parse_predictions(table, scheme)
    network = apply_temperature(found.sample.probabilities, temperature)
    voice = _voice(found, network, scheme, options)
    if not options.hear_network:
        voice = _silent(voice)
    if any(name not in table.columns for name in MEASURED_COLUMNS):
        return Decision(network=voice, notes=("the measurement takes no part: none was given.",))
    numbers = table.select(MEASURED_COLUMNS).cast(pl.Float64).to_numpy()
    there = np.isfinite(numbers).all(1)
    known = Predictions(found.slides[there], found.patients[there], found.sample.rows(there))
    short = _too_few(known, scheme)
    if short:
        return Decision(network=voice, notes=(short,))
    heard = network[there] if options.hear_network else np.full_like(network[there], 1 / network.shape[1])
    inputs = (heard, numbers[there, :4], numbers[there, 4], _areas(table.filter(pl.Series(there))))
    apart = out_of_fold(known.sample.labels, known.patients, *inputs)
    combination = fit_combination(known.sample.labels, known.patients, *inputs)
    allowed = [measured_classes(scheme, row) for row in numbers[there, :4]]
    joint = Joint(
        combination=combination,
        voice=_voice(known, apart, scheme, options, allowed),
        familiar=_familiar(table.filter(pl.Series(there))),
    )
    return Decision(network=voice, joint=joint)


def _areas(table: pl.DataFrame) -> NDArray[np.float64] | None:
    """(N, 3) shares of area; None where they are not known of every slide."""
    if any(name not in table.columns for name in AREA_COLUMNS):
        return None
    told = table.select(AREA_COLUMNS).cast(pl.Float64).to_numpy()
    return told if np.isfinite(told).all() else None


def _familiar(table: pl.DataFrame) -> Familiar | None:
    """What slides look like on which the rules were fitted; None where that is known of few patients."""
    if any(name not in table.columns for name in APPEARANCE_COLUMNS):
        return None
    told = table.select(APPEARANCE_COLUMNS).cast(pl.Float64).to_numpy()
    there = np.isfinite(told).all(1)
    if table.filter(pl.Series(there))["patient"].n_unique() < _FEWEST_FAMILIAR:
        return None
    return Familiar.of(told[there])


def _voice(
    found: Predictions,
    probabilities: NDArray[np.float64],
    scheme: LabelScheme,
    options: DecisionOptions,
    allowed: list[frozenset[int]] | None = None,
) -> Voice:
    """The rules for these probabilities; what is not among the `allowed` of a slide is no answer there."""
    labels = found.sample.labels
    rule = fit_conformal(
        labels, probabilities, coverage=options.coverage, class_conditional=options.class_conditional
    )
    single = _one_a_patient(found)
    truth, shares = labels[single], probabilities[single]
    certainty, likeliest = shares.max(1), shares.argmax(1)
    measured = [frozenset(range(shares.shape[1]))] * len(labels) if allowed is None else allowed
    measured = [measured[row] for row in single]
    said = np.array([int(one) in those for one, those in zip(likeliest, measured, strict=True)])
    issue = fit_selective(
        likeliest != truth,
        np.where(said, certainty, 0.0),
        error=options.error,
        confidence=options.confidence,
        floor=_EVEN,
    )
    cutoffs = []
    for cutoff in scheme.cutoffs:
        above = shares[:, cutoff.at :].sum(1)
        side = above >= _EVEN
        said = np.array(
            [any((one >= cutoff.at) == up for one in those) for up, those in zip(side, measured, strict=True)]
        )
        answered = fit_selective(
            side != (truth >= cutoff.at),
            np.where(said, np.maximum(above, 1 - above), 0.0),
            error=options.cutoff_error,
            confidence=options.confidence,
            floor=_EVEN,
        )
        cutoffs.append(CutoffRule(at=cutoff.at, rule=answered))
    return Voice(
        conformal=ConformalLimits.model_validate(rule.model_dump()), issue=issue, cutoffs=tuple(cutoffs)
    )


def _silent(voice: Voice) -> Voice:
    """The same, answering nothing."""
    none = {"threshold": None, "issued": 0, "wrong": 0, "bound": None, "note": _UNHEARD}
    cutoffs = (one.model_copy(update={"rule": one.rule.model_copy(update=none)}) for one in voice.cutoffs)
    issue = voice.issue.model_copy(update=none)
    return voice.model_copy(update={"issue": issue, "cutoffs": tuple(cutoffs)})


def _one_a_patient(found: Predictions) -> NDArray[np.intp]:
    """Row of one slide of each patient, drawn by the hash of its name: by nothing that was seen."""
    first: dict[str, tuple[bytes, int]] = {}
    for row, (patient, slide) in enumerate(zip(found.patients, found.slides, strict=True)):
        draw = hashlib.sha256(str(slide).encode()).digest(), row
        first[str(patient)] = min(draw, first.get(str(patient), draw))
    return np.array(sorted(row for _, row in first.values()), np.intp)


def _too_few(found: Predictions, scheme: LabelScheme) -> str:
    """Why no combination can be fitted; empty where one can."""
    patients = {label: set() for label in range(len(scheme.classes))}  # type: dict[int, set[str]]
    for label, patient in zip(found.sample.labels.tolist(), found.patients, strict=True):
        patients[label].add(str(patient))
    few = [scheme.classes[label] for label, names in patients.items() if len(names) < _LEAST_PER_CLASS]
    if not few:
        return ""
    return (
        f"the measurement takes no part: fewer than {_LEAST_PER_CLASS} measured validation patients of class "
        f"{', '.join(few)}."
    )
