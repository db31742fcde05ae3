"""The one table of spellings: what a manifest may say, and the canonical word it becomes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

__all__ = [
    "HER2_SCORES",
    "ISH_SPELLINGS",
    "KI67_SCORES",
    "MARKER_SPELLINGS",
    "RECEPTOR_SCORES",
    "canonical_ish",
    "canonical_marker",
    "canonical_score",
    "nearest",
    "nearest_of",
    "percent_of",
]

MARKER_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "HER2": ("her2", "her-2", "her2/neu", "her2neu", "her-2/neu", "her 2", "her 2/neu", "erbb2", "c-erbb2"),
    "ER": ("er", "era", "estrogen receptor", "oestrogen receptor", "esr1"),
    "PR": ("pr", "pgr", "progesterone receptor"),
    "Ki-67": ("ki-67", "ki67", "ki 67", "mki67", "mib-1", "mib1"),
}
"""Markers and how manifests spell them (case does not matter)."""

HER2_SCORES: Final[dict[str, tuple[str, ...]]] = {
    "0": ("0", "0+", "0.0"),
    "null": ("her2-null", "her2 null", "0 null", "0-null", "0 (null)", "null (0)"),
    "ultralow": ("ultralow", "ultra-low", "her2-ultralow", "her2 ultralow", "0 (ultralow)", "ultralow (0)"),
    "1+": ("1+", "1", "1.0", "+1", "+"),
    "2+": ("2+", "2", "2.0", "+2", "++", "equivocal"),
    "3+": ("3+", "3", "3.0", "+3", "+++"),
    "negative": ("negative", "neg"),
    "low": ("low", "her2-low", "her2 low"),
    "positive": ("positive", "pos", "high"),
}
"""HER2 scores. Null and ultralow are both 0, told apart by her2_five alone; a bare NULL is a missing value.
The last three are statuses, for cohorts without scores: not every scheme can use them."""

RECEPTOR_SCORES: Final[dict[str, tuple[str, ...]]] = {
    "<1": ("<1", "<1%", "< 1", "< 1 %", "<1 %"),
    ">10": (">10", ">10%", "> 10", "> 10 %", ">10 %"),
    "negative": ("negative", "neg"),
    "low positive": ("low positive", "low-positive", "low", "1-10", "1-10%", "1-10 %", "1 - 10 %"),
    "positive": ("positive", "pos"),
}
"""ER and PR scores beside a plain percentage of stained tumour nuclei ("0" to "100", with or without %)."""

KI67_SCORES: Final[dict[str, tuple[str, ...]]] = {
    "<1": ("<1", "<1%", "< 1", "< 1 %", "<1 %"),
    "<5": ("<5", "<5%", "< 5", "< 5 %", "<5 %"),
    ">30": (">30", ">30%", "> 30", "> 30 %", ">30 %"),
    "low": ("low",),
    "high": ("high",),
}
"""Ki-67 scores beside a plain percentage, the labelling index; a bare low or high names no cut-off."""

ISH_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "positive": ("positive", "pos", "+", "amplified", "amp"),
    "negative": ("negative", "neg", "-", "not amplified", "non-amplified", "nonamplified", "unamplified"),
    "unknown": ("unknown", "", "na", "n/a", "nd", "not done", "none", "?", "equivocal"),
}
"""In-situ hybridisation results; an empty cell is "unknown"."""

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%?")


def _plain(text: str) -> str:
    """Lower case, single spaces, ASCII dashes and plus signs."""
    text = re.sub(r"[\u2010-\u2015\u2212\uff0d]", "-", text.replace("\uff0b", "+"))
    return " ".join(text.casefold().split())


def _look_up(text: str, table: dict[str, tuple[str, ...]]) -> str | None:
    if text in table:
        return text
    plain = _plain(text)
    tight = re.sub(r"\s*([+<>%])\s*", r"\1", plain)  # 2 + is 2+
    found = (canonical for canonical, spellings in table.items() if plain in spellings or tight in spellings)
    return next(found, None)


def nearest_of(text: str, choices: Iterable[str]) -> str | None:
    """The one of `choices` that is close to `text`; None where none is."""
    by_plain = {_plain(choice): choice for choice in choices}
    close = difflib.get_close_matches(_plain(text), list(by_plain), n=1, cutoff=0.6)
    return by_plain[close[0]] if close else None


def nearest(text: str, choices: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` where something among `choices` is close to `text`, else an empty string."""
    close = nearest_of(text, choices)
    return f"; did you mean {close!r}?" if close else ""


def canonical_marker(text: str) -> str:
    """HER2, ER, PR or Ki-67.

    Raises:
        ValueError: with a sentence, where the spelling is not in `MARKER_SPELLINGS`.
    """
    found = _look_up(text, MARKER_SPELLINGS)
    if found is None:
        raise ValueError(f"marker {text!r} is not one of {', '.join(MARKER_SPELLINGS)}")
    return found


def canonical_ish(text: str) -> str:
    """positive, negative or unknown.

    Raises:
        ValueError: with a sentence, where the spelling is not in `ISH_SPELLINGS`.
    """
    found = _look_up(text, ISH_SPELLINGS)
    if found is None:
        raise ValueError(f"ish {text!r} is not one of {', '.join(ISH_SPELLINGS)}")
    return found


def canonical_score(text: str, marker: str) -> str:
    """The score as this package writes it.

    Args:
        text: As the manifest spells it.
        marker: Canonical marker.

    Returns:
        HER2: a key of `HER2_SCORES`. ER and PR: a key of `RECEPTOR_SCORES`, or a percentage as a plain
        number ("85"). Ki-67: a key of `KI67_SCORES`, or a percentage.

    Raises:
        ValueError: with a sentence, where the spelling is unknown or the percentage is above 100.
    """
    if re.fullmatch(r"\s*\d+,\d+\s*%?\s*", text):  # a decimal comma
        text = text.replace(",", ".")
    if marker == "HER2":
        found = _look_up(text, HER2_SCORES)
        if found is None:
            raise ValueError(
                f"score {text!r} is no HER2 score (0, 1+, 2+, 3+; or only a status: negative, low, positive)"
            )
        return found
    found = _look_up(text, KI67_SCORES if marker == "Ki-67" else RECEPTOR_SCORES)
    if found is not None:
        return found
    match = _PERCENT.fullmatch(_plain(text))
    if match is None or float(match[1]) > 100:
        raise ValueError(
            f"score {text!r} is no {marker} score (a percentage of stained tumour nuclei from 0 to 100, "
            f"or {'low, high' if marker == 'Ki-67' else 'negative, low positive, positive'})"
        )
    return f"{float(match[1]):g}"


def percent_of(score: str) -> float | None:
    """The percentage a canonical ER, PR or Ki-67 score states, None where it is a word."""
    match = _PERCENT.fullmatch(score)
    return float(match[1]) if match else None
