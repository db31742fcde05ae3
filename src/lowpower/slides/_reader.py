"""What a backend gives: stored levels, pixels as they are stored, and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowpower.slides._damage import DamageLog
from lowpower.units import Box

__all__ = [
    "NEVER_WRITTEN",
    "MppClaim",
    "Pixels",
    "Reader",
    "Stored",
    "inside_canvas",
    "join_claims",
    "mirax_files",
    "on_white",
]

NEVER_WRITTEN = "never written"
"""How a note on empty tiles begins: they are usual in some scanners' files, and need no warning."""

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
        unusable: What stands under a key that gives no microns per pixel: (key, text).
        associated: Names of the associated images.
        vendor: Who made the file.
        scanner: Which scanner.
        icc: The ICC profile of the stored colours.
        files: The data files of a format of several; empty where the file is the slide.
        scenes: Name of each scene (or optical path) that can be chosen.
        scene: Index of the one that is read.
        planes: Focal planes of that scene.
        plane: Index of the one that is read.
        notes: Sentences about the file that a user should read.
    """

    sizes: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    bounds: Box
    claims: tuple[MppClaim, ...] = ()
    keys_tried: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()
    associated: tuple[str, ...] = ()
    vendor: str | None = None
    scanner: str | None = None
    icc: bytes | None = None
    files: tuple[Path, ...] = ()
    scenes: tuple[str, ...] = ("1",)
    scene: int = 0
    planes: int = 1
    plane: int = 0
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """One open file. `read` and `associated` may be called from several threads at once.

    What a decoder could only read with a warning is glass, and in `damage`.
    """

    backend: str
    stored: Stored
    damage: DamageLog

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels of a rectangle that lies inside the level, (height, width, 3).

        Raises:
            DamagedSlideError: if they cannot be decoded.
        """

    def associated(self, name: str) -> Pixels:
        """One associated image, (H, W, 3)."""

    def close(self) -> None:
        """Release the file; calling it twice does no harm."""


def on_white(image: NDArray[np.uint8], *, premultiplied: bool = False) -> Pixels:
    """RGBA, (H, W, 4), over white glass.

    Args:
        image: Colours, then alpha.
        premultiplied: Colours are stored times alpha already ("associated" alpha).
    """
    alpha = image[..., 3:].astype(np.uint16)
    if premultiplied:
        return np.asarray(np.minimum(image[..., :3] + (255 - alpha), 255), np.uint8)
    mixed = image[..., :3] * alpha + np.uint16(255) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def mirax_files(path: Path) -> tuple[Path, ...]:
    """The data files of an MRXS slide, in its folder of the same name; none for any other format."""
    if path.suffix.lower() != ".mrxs":
        return ()
    return tuple(sorted(file for file in path.with_suffix("").iterdir() if file.is_file()))


def join_claims(
    claims: tuple[MppClaim, ...], tried: tuple[str, ...], own: Stored, *, vendor: bool
) -> tuple[tuple[MppClaim, ...], tuple[str, ...]]:
    """A library's um/px and those of the TIFF's tags: the library first where only it knows the vendor."""
    if not vendor:
        return own.claims, own.keys_tried
    return claims + own.claims, tried + own.keys_tried


def inside_canvas(x: float, y: float, width: float, height: float, canvas: tuple[int, int]) -> Box:
    """The scanner's bounds as a box inside level 0; the whole of it where they are empty or absent."""
    whole = Box(0, 0, *canvas)
    if width < 1 or height < 1:
        return whole
    return Box(int(x), int(y), int(width), int(height)).clipped(*canvas) or whole
