"""What a backend gives: stored levels, pixels as they are stored, and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowpower.units import Box

__all__ = ["MppClaim", "Pixels", "Reader", "Stored"]

Pixels = NDArray[np.uint8]
"""RGB pixels, (H, W, 3) uint8."""


@dataclass(frozen=True)
class MppClaim:
    """Microns per pixel as one metadata key states them."""

    key: str
    x: float
    y: float


@dataclass(frozen=True)
class Stored:
    """What a file stores, as one backend sees it.

    Attributes:
        sizes: (width, height) of each level's canvas, level 0 first.
        rows: Rows of a natural band of each level (its tile height), so that bands cut no tile.
        bounds: The scanned part of level 0's canvas.
        claims: Microns per pixel found, the most trusted first.
        keys_tried: Metadata keys looked at, for the message when none is there.
        associated: Names of the associated images.
        properties: Raw metadata, for vendor and scanner.
    """

    sizes: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    bounds: Box
    claims: tuple[MppClaim, ...] = ()
    keys_tried: tuple[str, ...] = ()
    associated: tuple[str, ...] = ()
    vendor: str | None = None
    scanner: str | None = None
    icc_applied: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """One open file. `read` and `associated` may be called from several threads at once."""

    backend: str
    stored: Stored

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels of a rectangle that lies inside the level, (height, width, 3).

        Raises:
            DamagedSlideError: if they cannot be decoded.
        """

    def associated(self, name: str) -> Pixels:
        """One associated image, (H, W, 3)."""

    def close(self) -> None:
        """Release the file; calling it twice does no harm."""
