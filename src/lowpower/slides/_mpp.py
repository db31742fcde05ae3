"""Which microns per pixel to believe: an option, else the most trusted metadata key that is plausible."""

from __future__ import annotations

import math
import re
from pathlib import Path

from lowpower.errors import InvalidMppError, MissingMppError, OptionError
from lowpower.slides._reader import MppClaim, Stored
from lowpower.units import Mpp

__all__ = ["check_mpp", "choose_mpp", "contradictions", "mpp_claims", "mpp_notes", "number", "plausible"]

_LOWEST, _HIGHEST = 0.05, 20.0
_USUAL = (0.08, 8.0)
_MOST_ANISOTROPIC = 1.05
_SAME = 1.03
_NUMBER = re.compile(r"\s*([+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?)\s*(?:[µμu]m|microns?)?(?:/p(?:x|ixel))?\s*")


def plausible(mpp: float) -> bool:
    """Whether a light microscope's slide can have this many um/px (0.05 to 20)."""
    return math.isfinite(mpp) and _LOWEST <= mpp <= _HIGHEST


def check_mpp(mpp: float | None) -> None:
    """Refuse um/px that no slide has, before any is opened.

    Raises:
        OptionError: it is not plausible.
    """
    if mpp is not None and not plausible(mpp):
        raise OptionError(
            f"--mpp takes {_LOWEST:g} to {_HIGHEST:g} um/px, not {mpp:g}; give the scanner's, "
            "for instance --mpp 0.25."
        )


def number(text: str | None) -> float | None:
    """A number as people's computers write it, with a decimal point or comma and perhaps "um" behind it."""
    found = None if text is None else _NUMBER.fullmatch(text)
    return None if found is None else float(found.group(1).replace(",", "."))


def choose_mpp(path: Path, option: float | None, stored: Stored) -> tuple[Mpp, str]:
    """um/px of level 0, and where it came from.

    Raises:
        InvalidMppError: if the option or every value in the metadata is not plausible, or x and y differ by
            more than 5 %.
        MissingMppError: if there is neither.
    """
    if option is not None:
        if not plausible(option):
            raise InvalidMppError(
                path,
                f"{option:g} um/px was given, outside the plausible {_LOWEST:g} to {_HIGHEST:g}; "
                "give the scanner's microns per pixel, for instance --mpp 0.25.",
            )
        return Mpp(float(option)), "option"
    if not stored.claims:
        raise MissingMppError(path, stored.keys_tried, stored.unusable)
    claim = next((c for c in stored.claims if plausible(c.x) and plausible(c.y)), stored.claims[0])
    if not (plausible(claim.x) and plausible(claim.y)):
        wrong = claim.x if not plausible(claim.x) else claim.y
        raise InvalidMppError(
            path,
            f"its metadata ({claim.key}) says {wrong:g} um/px, outside the plausible {_LOWEST:g} to "
            f"{_HIGHEST:g}; give the right value with --mpp or in the manifest's column mpp.",
        )
    if max(claim.x, claim.y) > _MOST_ANISOTROPIC * min(claim.x, claim.y):
        raise InvalidMppError(
            path,
            f"its metadata ({claim.key}) says {claim.x:g} um/px across but {claim.y:g} down, more than 5 % "
            "apart; give one value with --mpp or in the manifest's column mpp.",
        )
    return Mpp(_mean(claim)), claim.key


def mpp_notes(mpp: float, source: str, stored: Stored) -> tuple[str, ...]:
    """What a user should know of the um/px that was taken: sources that say otherwise, an unusual value."""
    notes = list(contradictions(mpp, source, stored))
    if not _USUAL[0] <= mpp <= _USUAL[1]:
        way = "finer" if mpp < _USUAL[0] else "coarser"
        notes.append(
            f"{mpp:g} um/px (from {source}) is {way} than slide scanners make: is it right? "
            "If not, give the right value with --mpp."
        )
    return tuple(notes)


def contradictions(mpp: float, source: str, stored: Stored) -> tuple[str, ...]:
    """Sources of um/px that differ from what was taken by more than 3 %, a sentence each."""
    told = []
    for claim in stored.claims:
        other = _mean(claim)
        if claim.key == source or (other > 0 and 1 / _SAME <= other / mpp <= _SAME):
            continue
        if source == "option":
            told.append(
                f"{mpp:g} um/px was given and is taken, but the file says {other:g} ({claim.key}): if the "
                "file is right, leave out --mpp, or the cell of the manifest's column mpp."
            )
        else:
            told.append(
                f"um/px: {source} says {mpp:g} and is taken, but {claim.key} says {other:g}; "
                "give the right value with --mpp."
            )
    return tuple(told)


def mpp_claims(stored: Stored) -> tuple[tuple[str, str], ...]:
    """Every source of um/px in the file and what it says, what cannot be used as it stands."""
    told = []
    for claim in stored.claims:
        same = f"{claim.x:.6g}" == f"{claim.y:.6g}"
        told.append((claim.key, f"{claim.x:.6g}" if same else f"{claim.x:.6g} across, {claim.y:.6g} down"))
    return (*told, *((key, f"{' '.join(text.split())[:40]} (unusable)") for key, text in stored.unusable))


def _mean(claim: MppClaim) -> float:
    return (claim.x + claim.y) / 2
