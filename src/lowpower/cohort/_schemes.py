"""Label schemes: from a score (and in-situ hybridisation) to the class a model learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from lowpower.cohort._spelling import canonical_ish, canonical_score, nearest, percent_of
from lowpower.errors import CohortError

__all__ = ["ISH_UNKNOWN", "SCHEMES", "Cutoff", "IshUnknown", "Label", "LabelScheme", "scheme_of"]

IshUnknown = Literal["low", "exclude"]
"""What becomes of 2+ whose in-situ hybridisation is unknown, where the class depends on it."""
ISH_UNKNOWN: Final = "2+ without ISH"


@dataclass(frozen=True, slots=True)
class Label:
    """A class, and what is doubtful about it.

    Attributes:
        index: Position in the scheme's `classes`.
        flag: Why the label is less certain than it looks, or None.
    """

    index: int
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A two-way question that decides treatment: class index >= `at` against the rest.

    Attributes:
        name: As reports print it, for instance "0 | >=1+".
        at: First class index that counts as positive, 1 .. K-1.
    """

    name: str
    at: int

    def question(self, classes: tuple[str, ...]) -> str:
        """What is asked, for a yes or no: "at least 1+", or the uppermost class by its name."""
        return classes[-1] if self.at == len(classes) - 1 else f"at least {classes[self.at]}"


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """Ordered classes and the rule that gives one.

    Attributes:
        name: For instance "her2_three".
        marker: HER2, ER, PR or Ki-67.
        classes: Names, from least to most stained.
        cutoffs: Two-way questions reported apart.
        mapping: The rule as one sentence; stated in every result.
    """

    name: str
    marker: str
    classes: tuple[str, ...]
    cutoffs: tuple[Cutoff, ...]
    mapping: str
    _rule: Callable[[str, str], Label | None] = field(repr=False, compare=False)

    def label(self, score: str, ish: str | None = None) -> Label:
        """The class of a score.

        Args:
            score: Any spelling of the manifest (`HER2_SCORES`, `RECEPTOR_SCORES`, `KI67_SCORES`).
            ish: In-situ hybridisation, any spelling; None is unknown.

        Raises:
            CohortError: if the spelling is unknown, or the score says too little for this scheme (a bare
                "negative" cannot be told apart into 0 and 1+).
        """
        try:
            canonical = canonical_score(score, self.marker)
            label = self._rule(canonical, canonical_ish(ish or ""))
        except ValueError as error:
            raise CohortError(f"{error}.") from error
        if label is None:
            raise CohortError(
                f"score {score!r} says too little for the scheme {self.name} "
                f"({', '.join(self.classes)}); give the score itself, or choose "
                f"{' or '.join(_able(canonical, self.marker))}."
            )
        return label

    def possible(self, score: str) -> frozenset[int]:
        """Class indices that a measured score allows, whatever in-situ hybridisation says.

        Args:
            score: As `label` takes it. What says too little for this scheme allows every class.
        """
        try:
            return frozenset(self.label(score, ish).index for ish in (None, "positive", "negative"))
        except CohortError:
            return frozenset(range(len(self.classes)))


def _able(score: str, marker: str) -> list[str]:
    schemes = [scheme for scheme in SCHEMES.values() if scheme.marker == marker]
    return [scheme.name for scheme in schemes if scheme._rule(score, "unknown") is not None]


def _four(score: str, ish: str) -> Label | None:
    classes = {"0": 0, "null": 0, "ultralow": 0, "1+": 1, "2+": 2, "3+": 3}
    return Label(classes[score]) if score in classes else None


def _five(score: str, ish: str) -> Label | None:
    classes = ("null", "ultralow", "1+", "2+", "3+")
    return Label(classes.index(score)) if score in classes else None


def _three(score: str, ish: str) -> Label | None:
    if score == "2+":
        return Label(2) if ish == "positive" else Label(1, ISH_UNKNOWN if ish == "unknown" else None)
    index = {"0": 0, "null": 0, "ultralow": 0, "1+": 1, "low": 1, "3+": 2, "positive": 2}.get(score)
    return None if index is None else Label(index)


def _status(score: str, ish: str) -> Label | None:
    if score == "2+":
        return Label(1) if ish == "positive" else Label(0, ISH_UNKNOWN if ish == "unknown" else None)
    return Label(int(score in ("3+", "positive")))


def _er(score: str, ish: str) -> Label | None:
    percent = percent_of(score)
    if percent is not None:
        return Label(0 if percent < 1 else 1 if percent <= 10 else 2)
    if score == "positive":
        return Label(2, "positive without a percentage: low positive not excluded")
    return Label({"<1": 0, "negative": 0, "low positive": 1, ">10": 2}[score])


def _pr(score: str, ish: str) -> Label | None:
    percent = percent_of(score)
    return Label(int(percent >= 1 if percent is not None else score not in ("<1", "negative")))


def _ki67(score: str, ish: str) -> Label | None:
    percent = percent_of(score)
    if percent is not None:
        return Label(int(percent >= 20))
    flag = f"{score} without a percentage: its cut-off is unknown" if score in ("low", "high") else None
    return Label(int(score in (">30", "high")), flag)


def _ki67_three(score: str, ish: str) -> Label | None:
    percent = percent_of(score)
    if percent is not None:
        return Label(0 if percent <= 5 else 1 if percent < 30 else 2)
    index = {"<1": 0, "<5": 0, ">30": 2}.get(score)
    return None if index is None else Label(index)


SCHEMES: Final[dict[str, LabelScheme]] = {
    scheme.name: scheme
    for scheme in (
        LabelScheme(
            "her2_four",
            "HER2",
            ("0", "1+", "2+", "3+"),
            (Cutoff("0 | >=1+", 1), Cutoff("0/1+ | 2+/3+", 2), Cutoff("3+ | rest", 3)),
            "the HER2 IHC score itself (ASCO/CAP 2018): 0, 1+, 2+, 3+",
            _four,
        ),
        LabelScheme(
            "her2_five",
            "HER2",
            ("null", "ultralow", "1+", "2+", "3+"),
            (
                Cutoff("null | ultralow", 1),
                Cutoff("0 | >=1+", 2),
                Cutoff("0/1+ | 2+/3+", 3),
                Cutoff("3+ | rest", 4),
            ),
            "the HER2 IHC score with 0 split: null without any stained cell, ultralow with stained ones in "
            "10 % or fewer; a bare 0 says too little",
            _five,
        ),
        LabelScheme(
            "her2_three",
            "HER2",
            ("0", "Low", "High"),
            (Cutoff("0 | >=Low", 1), Cutoff("High | rest", 2)),
            "0 -> 0; 1+ -> Low; 2+ -> High if ISH positive, else Low (flagged where ISH is unknown); "
            "3+ -> High",
            _three,
        ),
        LabelScheme(
            "her2_status",
            "HER2",
            ("negative", "positive"),
            (Cutoff("positive | negative", 1),),
            "positive: 3+, or 2+ with ISH positive; negative: all else (2+ flagged where ISH is unknown)",
            _status,
        ),
        LabelScheme(
            "er_status",
            "ER",
            ("negative", "low positive", "positive"),
            (Cutoff("negative | >=1 %", 1), Cutoff("positive | rest", 2)),
            "negative: < 1 % of tumour nuclei; low positive: 1-10 %; positive: > 10 %",
            _er,
        ),
        LabelScheme(
            "pr_status",
            "PR",
            ("negative", "positive"),
            (Cutoff("positive | negative", 1),),
            "negative: < 1 % of tumour nuclei; positive: >= 1 %",
            _pr,
        ),
        LabelScheme(
            "ki67_status",
            "Ki-67",
            ("low", "high"),
            (Cutoff("high | low", 1),),
            "low: < 20 % of tumour nuclei (labelling index); high: >= 20 % (St Gallen 2013)",
            _ki67,
        ),
        LabelScheme(
            "ki67_three",
            "Ki-67",
            ("low", "intermediate", "high"),
            (Cutoff("low | >5 %", 1), Cutoff("high | rest", 2)),
            "low: <= 5 % of tumour nuclei (labelling index); intermediate: between; high: >= 30 % "
            "(International Ki67 in Breast Cancer Working Group 2021: only the two ends are reliable)",
            _ki67_three,
        ),
    )
}
"""Every label scheme by name."""


def scheme_of(scheme: str | LabelScheme) -> LabelScheme:
    """A scheme by name, or the scheme itself.

    Raises:
        CohortError: if the name is unknown.

    Examples:
        >>> scheme_of("her2_four").classes
        ('0', '1+', '2+', '3+')
    """
    if isinstance(scheme, LabelScheme):
        return scheme
    if scheme not in SCHEMES:
        hint = nearest(scheme, SCHEMES) or "."
        raise CohortError(f"label scheme {scheme!r} is not one of {', '.join(SCHEMES)}{hint}")
    return SCHEMES[scheme]
