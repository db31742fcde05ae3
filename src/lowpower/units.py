"""Lengths, resolutions and boxes. Length is microns, resolution is microns per pixel (um/px).

Magnification words (5x, 40x) are never used for computing: 0.2199 to 0.2738 um/px is all sold as "40x".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

__all__ = ["BasePixels", "Box", "LevelPixels", "Microns", "Mpp", "scaled_size"]

Microns = NewType("Microns", float)
"""A length in microns."""
Mpp = NewType("Mpp", float)
"""Resolution in microns per pixel."""
BasePixels = NewType("BasePixels", int)
"""A length in pixels of the slide's level 0."""
LevelPixels = NewType("LevelPixels", int)
"""A length in pixels of some other level or of an image made from the slide."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in base pixels (level 0), x to the right and y down.

    Attributes:
        x: Left edge, base pixels.
        y: Top edge, base pixels.
        width: Width, base pixels, at least 1.
        height: Height, base pixels, at least 1.

    Raises:
        ValueError: if width or height is below 1.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(
                f"a box needs a width and height of at least 1 px, got {self.width} x {self.height}"
            )

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    def clipped(self, width: int, height: int) -> Box | None:
        """The part inside an image of `width` x `height` base pixels, or None if nothing is."""
        left, top = max(self.x, 0), max(self.y, 0)
        right, bottom = min(self.right, width), min(self.bottom, height)
        return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None

    def padded(self, margin: int) -> Box:
        """The box grown by `margin` base pixels on every side."""
        return Box(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)


def scaled_size(width: int, height: int, mpp: float, target_mpp: float) -> tuple[int, int]:
    """Size in pixels, at least 1 x 1, of a `width` x `height` region of `mpp` um/px shown at `target_mpp`.

    Examples:
        >>> scaled_size(1000, 800, mpp=0.25, target_mpp=2.0)
        (125, 100)
    """
    factor = mpp / target_mpp
    return max(1, round(width * factor)), max(1, round(height * factor))
