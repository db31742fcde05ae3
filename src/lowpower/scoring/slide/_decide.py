"""What may be said: the likeliest class always, issued where the bundle's rule for issued scores allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme
from lowpower.models import Bundle, ConformalLimits, Voice, appearance_of
from lowpower.scoring.records import Answer, CutoffAnswer, Measured

__all__ = ["answer_of", "prediction_set"]

_NULL: Final = "null | ultralow"
_UNLIKE: Final = (
    "this slide is unlike all on which the model's answers were fitted, most of all in its {}: no promise is "
    "about it. Fit a model on slides like it (lowpower train), or read it yourself."
)
_DOUBTED: Final = (
    "measured {}, and {} with paler stretches of membranes taken for gaps: complete and incomplete cannot be "
    "told apart surely."
)
_UNMEASURED: Final = "Measured too, it may be issued: leave out --no-measure (in Python measure=False)."


def prediction_set(
    rule: ConformalLimits | None, classes: Sequence[str], probabilities: NDArray[np.float64]
) -> tuple[str, ...] | None:
    """Classes that remain possible at the rule's coverage; None without a rule.

    Split conformal prediction (Vovk et al. 2005): a class stays while it is at least as probable as the
    threshold that the validation slides gave.
    """
    if rule is None:
        return None
    kept = probabilities >= np.array(rule.min_probability)
    return tuple(name for name, stays in zip(classes, kept, strict=True) if stays)


def answer_of(bundle: Bundle, network: NDArray[np.float64], measured: Measured | None) -> Answer:
    """The answer from the model's probabilities and, where the bundle joins them, the measurement.

    Args:
        bundle: The model.
        network: (K,) the model's, after the temperature.
        measured: The stain as measured; None where it was not.
    """
    decision, probabilities, voice = bundle.decision, network, None
    by: Literal["network", "measurement", "network and measurement"] = "network"
    if bundle.spec.kind == "measured":
        by = "measurement"
    if decision is not None:
        voice, probabilities = decision.hear(network, *_numbers(measured))
        if decision.joint is not None and voice is decision.joint.voice:
            by = "network and measurement" if decision.joint.combination.hears_network else "measurement"
    joined = decision is not None and voice is not decision.network
    classes = bundle.scheme.classes
    likeliest = int(probabilities.argmax())
    conformal = bundle.abstention if voice is None else voice.conformal
    kept = prediction_set(conformal, classes, probabilities)
    allowed = _allowed(bundle.scheme, measured) if joined else None
    strange = None
    if decision is not None and joined:
        strange = decision.stranger(_appearance(measured))
    if voice is None:
        why = _without_rule(conformal, kept)
    elif strange is not None:
        why, allowed = _UNLIKE.format(strange), frozenset()
    else:
        why = _below(voice, classes, probabilities, allowed, by)
    doubted = _doubted(bundle.scheme, measured)
    if doubted and why is None:
        assert measured is not None
        why = _DOUBTED.format(measured.score, measured.with_gaps)
    promised = None if voice is None or voice.issue.threshold is None else voice.issue
    joint = None if decision is None else decision.joint
    if why is not None and measured is None and joint is not None and joint.voice.issue.threshold is not None:
        why = f"{why} {_UNMEASURED}"
    return Answer(
        likeliest=classes[likeliest],
        probability=float(probabilities[likeliest]),
        probabilities={name: float(p) for name, p in zip(classes, probabilities, strict=True)},
        by=by,
        issued=why is None,
        error=None if promised is None else promised.error,
        confidence=None if promised is None else promised.confidence,
        why=why,
        not_excluded=kept,
        cutoffs=(
            *_cutoffs(bundle.scheme, voice, probabilities, allowed, doubted, issued=why is None),
            *_null(bundle.scheme, measured),
        ),
    )


def _numbers(
    measured: Measured | None,
) -> tuple[NDArray[np.float64] | None, float | None, NDArray[np.float64] | None]:
    """The shares of cells, from not stained to strongest, the H-score and the shares of area."""
    if measured is None or measured.shares is None or measured.h_score is None:
        return None, None, None
    shares, found = np.array(list(measured.shares.values()), np.float64), measured.areas
    areas = None if found is None else np.array([found.weak, found.moderate, found.strong])
    return shares, measured.h_score, areas


def _appearance(measured: Measured | None) -> tuple[float, ...] | None:
    """What `Familiar` looks at; None in records of before."""
    stains = None if measured is None else measured.stains
    if measured is None or stains is None or stains.glass is None:
        return None
    return appearance_of(stains.glass, stains.hematoxylin, stains.dab, measured.rendering)


def _allowed(scheme: LabelScheme, measured: Measured | None) -> frozenset[int] | None:
    """Classes that the measured score allows; None where there is none."""
    if measured is None:
        return None
    if measured.percent is not None and scheme.marker != "HER2":
        return scheme.possible(f"{measured.percent:.4f}")
    told = measured.group if measured.group in ("null", "ultralow") else measured.score
    return None if told is None else scheme.possible(told)


def _doubted(scheme: LabelScheme, measured: Measured | None) -> frozenset[int]:
    """Cut-offs (their `at`) that the measured score and the one read with gaps answer differently."""
    if measured is None or measured.score is None or measured.with_gaps is None:
        return frozenset()
    one, other = scheme.possible(measured.score), scheme.possible(measured.with_gaps)
    return frozenset(
        cutoff.at
        for cutoff in scheme.cutoffs
        if {index >= cutoff.at for index in one} != {index >= cutoff.at for index in other}
    )


def _below(
    voice: Voice,
    classes: Sequence[str],
    probabilities: NDArray[np.float64],
    allowed: frozenset[int] | None,
    by: str,
) -> str | None:
    """Why the score is not issued; None where it is."""
    rule = voice.issue
    likeliest, apart = int(probabilities.argmax()), ""
    if allowed is not None and likeliest not in allowed:
        measured = " or ".join(classes[index] for index in sorted(allowed))
        heard = "all that was measured" if by == "measurement" else f"{by} together"
        apart = (
            f"{classes[likeliest]} is likeliest by {heard}, and the scoring rule on the measured cells alone "
            f"gives {measured}: they must agree."
        )
    if rule.threshold is None:
        return f"no score is issued by this model: {rule.note}. {apart}".rstrip()
    if voice.issues(probabilities, allowed):
        return None
    if apart:
        return apart
    first, second = sorted(np.argsort(-probabilities, kind="stable")[:2].tolist())
    return (
        f"{classes[first]} and {classes[second]} cannot be told apart surely enough; of issued scores at "
        f"most {rule.error:.0%} may be wrong."
    )


def _without_rule(conformal: ConformalLimits | None, kept: tuple[str, ...] | None) -> str | None:
    """The same for a bundle of before there was a rule for issued answers: its conformal set decides."""
    if conformal is None or kept is None or len(kept) == 1:
        return None
    rate = f"{1 - conformal.coverage:.0%}"
    if not kept:
        return f"no class is likely enough (sets miss the truth on {rate} of slides)."
    told = f"{', '.join(kept[:-1])} and {kept[-1]}"
    return f"{told} cannot be told apart (sets miss the truth on {rate} of slides)."


def _cutoffs(
    scheme: LabelScheme,
    voice: Voice | None,
    probabilities: NDArray[np.float64],
    allowed: frozenset[int] | None,
    doubted: frozenset[int],
    *,
    issued: bool,
) -> tuple[CutoffAnswer, ...]:
    found = []
    likeliest = int(probabilities.argmax())
    for index, cutoff in enumerate(scheme.cutoffs):
        above = float(probabilities[cutoff.at :].sum())
        if voice is not None:
            lies_above, error = voice.at_cutoff(index, probabilities, allowed)
        else:
            lies_above, error = (likeliest >= cutoff.at if issued else None), None
        if cutoff.at in doubted:
            lies_above, error = None, None
        answer: Literal["yes", "no", "undetermined"] = (
            "undetermined" if lies_above is None else "yes" if lies_above else "no"
        )
        found.append(
            CutoffAnswer(
                cutoff=cutoff.name,
                question=cutoff.question(scheme.classes),
                answer=answer,
                probability=above,
                error=error,
            )
        )
    return tuple(found)


def _null(scheme: LabelScheme, measured: Measured | None) -> tuple[CutoffAnswer, ...]:
    """Whether a measured 0 has any staining at all: where the scheme does not ask, the measurement says."""
    if any(cutoff.name == _NULL for cutoff in scheme.cutoffs):
        return ()
    if measured is None or measured.score != "0" or measured.group not in ("null", "ultralow"):
        return ()
    found = "yes" if measured.group == "ultralow" else "no"
    return (CutoffAnswer(cutoff=_NULL, question="ultralow, not null", answer=found),)
