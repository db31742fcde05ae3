"""Patches that should not be looked at: empty, inked or out of focus, each with its reason."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PATCH_REASONS", "PatchQC", "PatchReason", "inspect_patches", "reason_counts"]

PatchReason = Literal["ok", "empty", "pen", "blur"]
PATCH_REASONS: tuple[PatchReason, ...] = get_args(PatchReason)
"""What `inspect_patches` answers by index."""

_BLUR_MPP = 1.0  # coarser than this a blur that matters at high resolution cannot be seen
_FINE_UM, _MIDDLE_UM = 0.6, 1.8
_NO_STRUCTURE = 0.0015  # OD; below it there is nothing to be sharp


class PatchQC(BaseModel):
    """Thresholds of the patch inspection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    empty_od: float = Field(0.04, ge=0.0, description="Pixels below this mean optical density are glass.")
    empty_share: float = Field(
        0.95, gt=0.0, le=1.0, description="Patches with this share of glass are empty."
    )
    pen_share: float = Field(
        0.2, gt=0.0, le=1.0, description="Patches with this share of pen ink are left out."
    )
    blur_ratio: float = Field(
        0.3,
        ge=0.0,
        description="Patches whose detail finer than 0.6 um is below this share (at 0.25 um/px) of that "
        "between 0.6 and 1.8 um are out of focus; 0 switches it off.",
    )


def inspect_patches(
    images: NDArray[np.uint8], white_point: ArrayLike, mpp: float, qc: PatchQC | None = None
) -> NDArray[np.uint8]:
    """Say of each patch whether it serves.

    Empty is decided first, then pen, then blur. Blur is a ratio of energies of one picture, so that faint and
    dark tissue are measured alike; it is asked only at 1 um/px and finer, and only of patches with structure.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        white_point: (3,) RGB of the slide's glass, 0..255.
        mpp: um/px of the patches.
        qc: Thresholds; None for the defaults.

    Returns:
        (B,) uint8 indices into `PATCH_REASONS`.
    """
    qc = qc or PatchQC()
    tables = _density_tables(white_point)
    return np.array([_inspect(image, tables, mpp, qc) for image in images], np.uint8)


def reason_counts(reasons: NDArray[np.uint8]) -> dict[PatchReason, int]:
    """How many patches got each reason."""
    counts = np.bincount(reasons, minlength=len(PATCH_REASONS))
    return {reason: int(count) for reason, count in zip(PATCH_REASONS, counts, strict=True)}


def _density_tables(white_point: ArrayLike) -> NDArray[np.float32]:
    """(1, 256, 3) optical density of every byte in every channel."""
    white = np.asarray(white_point, np.float64).reshape(1, 1, 3)
    level = np.maximum(np.arange(256, dtype=np.float64), 1.0).reshape(1, 256, 1)
    return np.log10(white / level).astype(np.float32)


def _inspect(image: NDArray[np.uint8], tables: NDArray[np.float32], mpp: float, qc: PatchQC) -> int:
    od = np.asarray(cv2.LUT(image, tables), np.float32)
    grey = od.mean(axis=2)
    stained = grey >= qc.empty_od
    if 1 - stained.mean() >= qc.empty_share:
        return PATCH_REASONS.index("empty")
    if _pen(od, stained).mean() >= qc.pen_share:
        return PATCH_REASONS.index("pen")
    if qc.blur_ratio > 0 and mpp <= _BLUR_MPP and _blurred(grey, mpp, qc.blur_ratio):
        return PATCH_REASONS.index("blur")
    return PATCH_REASONS.index("ok")


def _pen(od: NDArray[np.float32], stained: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ink: dark and of a hue that no mixture of haematoxylin and DAB has (green, vivid blue, red), or black.

    Haematoxylin absorbs red and green, DAB blue and green: in their mixtures green is never the colour least
    absorbed by far, nor is one channel alone left nearly clear at high density.
    """
    red, green, blue = od[..., 0], od[..., 1], od[..., 2]
    high = od.max(axis=2)
    dark = stained & (high > 0.5)
    greenish = (red > green + 0.15) & (blue > green + 0.1)
    bluish = (red > 0.7) & (blue < 0.22 * red)
    reddish = (green > 0.6) & (blue > 0.4) & (red < 0.2 * green)
    black = od.min(axis=2) > 1.3
    return np.asarray((dark & (greenish | bluish | reddish)) | black)


def _blurred(grey: NDArray[np.float32], mpp: float, least: float) -> bool:
    sharp = cv2.GaussianBlur(grey, (0, 0), max(0.35, 0.35 / mpp))
    fine = cv2.GaussianBlur(grey, (0, 0), _FINE_UM / mpp + 0.5)
    middle = cv2.GaussianBlur(grey, (0, 0), _MIDDLE_UM / mpp + 0.5)
    structure = float((fine - middle).std())
    if structure < _NO_STRUCTURE:
        return False
    # On seven real cores the ratio is 0.58 to 1.2 (0.25 um/px) and 0.80 to 1.6 (0.5 um/px) in focus, and
    # below 0.22 and 0.30 after a blur of 2 um: the bound grows with um/px as these do.
    return float((sharp - fine).std()) < least * (0.6 + 1.6 * mpp) * structure
