"""What a model may say and when: the rules for issued answers and cut-offs, and how the measurement joins in.

They are fitted by `lowpower.evaluation.fit_decision` on validation predictions and stored in bundle.json;
numbers and numpy suffice to apply them.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowpower.cohort import LabelScheme
from lowpower.models.bundle._familiar import Familiar

__all__ = [
    "Combination",
    "ConformalLimits",
    "CutoffRule",
    "Decision",
    "Joint",
    "Selective",
    "Voice",
    "joint_inputs",
]

_EVEN: Final = 0.5
_LEAST_P: Final = 1e-4
_LEAST_SHARE: Final = 0.002
"""Probabilities and shares are held above these before their logarithm is taken."""
_LEAST_AREA: Final = 1e-5


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConformalLimits(_Part):
    """Which classes stay possible: split conformal prediction fitted on the validation fold.

    Classes at least as probable as their `min_probability` (after the temperature) remain possible. The
    fields are those of `lowpower.evaluation.ConformalRule`.
    """

    schema_version: Literal[1] = 1
    coverage: float = Field(
        gt=0, lt=1, description="Promised share of slides whose set holds the true class."
    )
    class_conditional: bool = Field(description="Whether the promise holds within each class.")
    min_probability: tuple[float, ...] = Field(description="Threshold a class; 0 keeps the class always.")
    n: tuple[int, ...] = Field(description="Validation slides behind it, a class.")
    note: str = ""


class Selective(_Part):
    """Answers are given above a confidence; the promise is about the answers given.

    With the stated confidence, at most the share `error` of answers given on patients like those of the
    validation is wrong; `lowpower.evaluation.fit_selective` says how that holds after choosing the threshold.
    """

    error: float = Field(gt=0, lt=1, description="Share of answers given that may be wrong.")
    confidence: float = Field(gt=0, lt=1, description="Probability with which the promise holds.")
    threshold: float | None = Field(
        description="An answer is given where its confidence exceeds this; none is given where null."
    )
    n: int = Field(description="Validation patients behind it.")
    issued: int = Field(description="Of these, answers given.")
    wrong: int = Field(description="Of these, wrong.")
    bound: float | None = Field(description="Upper bound on the share of wrong answers given.")
    note: str = ""

    def gives(self, certainty: float) -> bool:
        """Whether an answer of this probability is given."""
        return self.threshold is not None and certainty > self.threshold


class CutoffRule(_Part):
    """When `class >= at` is answered by itself; an issued score answers it too, at the score's own rate."""

    at: int = Field(ge=1)
    rule: Selective


class Voice(_Part):
    """What may be said from one set of probabilities."""

    conformal: ConformalLimits
    issue: Selective
    cutoffs: tuple[CutoffRule, ...]

    def issues(self, probabilities: NDArray[np.float64], allowed: frozenset[int] | None = None) -> bool:
        """Whether the likeliest score is issued.

        Args:
            probabilities: (K,) of the classes.
            allowed: Classes that the measured score allows: no other is issued. None where nothing was
                measured.
        """
        agrees = allowed is None or int(probabilities.argmax()) in allowed
        return agrees and self.issue.gives(float(probabilities.max()))

    def at_cutoff(
        self, index: int, probabilities: NDArray[np.float64], allowed: frozenset[int] | None = None
    ) -> tuple[bool | None, float | None]:
        """Whether the class lies at or above a cut-off, None if undetermined; and the rate that is promised.

        A score that is issued answers every cut-off, at the score's own rate.

        Args:
            index: Of the cut-off.
            probabilities: (K,) of the classes.
            allowed: As `issues` takes it: nothing is said against the measured score.
        """
        place, rule = self.cutoffs[index].at, self.cutoffs[index].rule
        above = float(probabilities[place:].sum())
        side = above >= _EVEN
        agrees = allowed is None or any((one >= place) == side for one in allowed)
        if agrees and rule.gives(max(above, 1 - above)):
            return side, rule.error
        if self.issues(probabilities, allowed):
            return int(probabilities.argmax()) >= place, self.issue.error
        return None, None


class Combination(_Part):
    """A multinomial logistic regression over the network's log-probabilities and the measured shares.

    Where the network's weights are all 0 the measurement alone speaks. Shares of area by how brown they are
    say how strongly a laboratory stains: they take part where that helped on its own slides.
    """

    mean: tuple[float, ...] = Field(description="Of each input over the validation slides.")
    scale: tuple[float, ...] = Field(description="Standard deviation of each input.")
    weights: tuple[tuple[float, ...], ...] = Field(description="(K, inputs), on standardised inputs.")
    intercepts: tuple[float, ...] = Field(description="(K,)")
    strength: float = Field(description="Inverse of the ridge penalty (scikit-learn's C).")
    hears_areas: bool = Field(
        False, description="Whether shares of area take part.", exclude_if=lambda hears: not hears
    )

    @property
    def hears_network(self) -> bool:
        """Whether the network takes part."""
        return any(weight != 0 for row in self.weights for weight in row[: len(self.weights)])

    def probabilities(
        self, network: ArrayLike, shares: ArrayLike, h_score: ArrayLike, areas: ArrayLike
    ) -> NDArray[np.float64]:
        """(N, K) joint probabilities.

        Args:
            network: (N, K) the network's, after the temperature.
            shares: (N, 4) measured shares of tumour-like cells, from not stained to strongest.
            h_score: (N,) 0 to 300.
            areas: (N, 3) shares of tissue by DAB: weak, moderate, strong; looked at where they take part.
        """
        told = joint_inputs(network, shares, h_score, areas if self.hears_areas else None)
        inputs = (told - np.array(self.mean)) / np.array(self.scale)
        scores = inputs @ np.array(self.weights).T + np.array(self.intercepts)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))


class Joint(_Part):
    """Network and measurement together, and what may be said from both."""

    combination: Combination
    voice: Voice
    familiar: Familiar | None = Field(
        None, description="Slides the rules are about; nothing is said of others. None in older bundles."
    )


class Decision(_Part):
    """Everything that decides what is said of a slide; null thresholds say nothing rather than too much."""

    network: Voice = Field(description="Where the stain is not measured.")
    joint: Joint | None = Field(None, description="Where it is.")
    notes: tuple[str, ...] = ()

    def hear(
        self,
        network: NDArray[np.float64],
        shares: NDArray[np.float64] | None,
        h_score: float | None,
        areas: NDArray[np.float64] | None,
    ) -> tuple[Voice, NDArray[np.float64]]:
        """What speaks for one slide, and its probabilities (K,): both together where it was measured.

        Args:
            network: (K,) the network's, after the temperature.
            shares: (4,) measured shares of tumour-like cells, from not stained to strongest; None without.
            h_score: 0 to 300; None without.
            areas: (3,) shares of tissue by DAB: weak, moderate, strong; None without.
        """
        if self.joint is None or shares is None or h_score is None:
            return self.network, network
        combination = self.joint.combination
        if areas is None:
            if combination.hears_areas:
                return self.network, network
            areas = np.zeros(3)
        combined = combination.probabilities(network[None], shares[None], np.array([h_score]), areas[None])
        return self.joint.voice, combined[0]

    def stranger(self, appearance: ArrayLike | None) -> str | None:
        """What of a measured slide is unlike those that the rules were fitted on; None where nothing is.

        Args:
            appearance: Of the slide (`appearance_of`); None where it is not known.
        """
        known = None if self.joint is None else self.joint.familiar
        return None if known is None or appearance is None else known.stranger(appearance)

    def fits(self, scheme: LabelScheme) -> bool:
        """Whether the numbers are of this scheme's classes and cut-offs."""
        voices = [self.network, *([self.joint.voice] if self.joint is not None else [])]
        size, places = len(scheme.classes), tuple(cutoff.at for cutoff in scheme.cutoffs)
        same = all(
            len(voice.conformal.min_probability) == size
            and tuple(cutoff.at for cutoff in voice.cutoffs) == places
            for voice in voices
        )
        return same and (self.joint is None or len(self.joint.combination.weights) == size)


def joint_inputs(
    network: ArrayLike, shares: ArrayLike, h_score: ArrayLike, areas: ArrayLike | None = None
) -> NDArray[np.float64]:
    """(N, K + 4) what the combination sees: centred log-probabilities, logits of shares of cells, H-score.

    With areas (N, 3) it is (N, K + 7): their logarithms, too.

    Shares are of cells of at least each grade; logits, because scores change where shares cross 1 and 10 %,
    not where they go from 50 to 60 %.
    """
    logs = np.log(np.maximum(np.asarray(network, np.float64), _LEAST_P))
    grades = np.asarray(shares, np.float64)
    least = np.clip(1 - np.cumsum(grades, 1)[:, :-1], _LEAST_SHARE, 1 - _LEAST_SHARE)
    inputs = [
        logs - logs.mean(1, keepdims=True),
        np.log(least / (1 - least)),
        np.asarray(h_score, np.float64)[:, None] / 300,
    ]
    if areas is not None:
        inputs.append(np.log(np.clip(np.asarray(areas, np.float64), _LEAST_AREA, 1)))
    return np.concatenate(inputs, axis=1)
