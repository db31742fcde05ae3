"""Which microns per pixel to believe: an option, else the most trusted metadata key, if plausible."""

from __future__ import annotations

import math
from pathlib import Path

from lowpower.errors import InvalidMppError, MissingMppError
from lowpower.slides._reader import Stored
from lowpower.units import Mpp

__all__ = ["choose_mpp", "plausible"]

_LOWEST, _HIGHEST = 0.05, 20.0
_MOST_ANISOTROPIC = 1.05


def plausible(mpp: float) -> bool:
    """Whether a light microscope's slide can have this many um/px (0.05 to 20)."""
    return math.isfinite(mpp) and _LOWEST <= mpp <= _HIGHEST


def choose_mpp(path: Path, option: float | None, stored: Stored) -> tuple[Mpp, str]:
    """um/px of level 0, and where it came from.

    Raises:
        InvalidMppError: if the option or the metadata's value is not plausible, or x and y differ by
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
        raise MissingMppError(path, stored.keys_tried)
    claim = stored.claims[0]
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
    return Mpp((claim.x + claim.y) / 2), claim.key
