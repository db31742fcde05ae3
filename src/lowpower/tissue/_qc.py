"""Remarks on quality: what `CHECKS` says of a slide's numbers, each with its area and place."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from lowpower.tissue._checks import CHECKS
from lowpower.tissue._grid import Flags, square_of
from lowpower.tissue._pieces import around, pieces_of
from lowpower.tissue._types import Piece, QCFlag
from lowpower.tissue.control import Choice
from lowpower.tissue.find import Look
from lowpower.units import Box

__all__ = ["box_around", "control_flags", "flags_of"]

_BESIDE_UM: Final = 50.0
"""How near to tissue ink lies that may go on over it."""
_OVER_TISSUE: Final = (
    "; it borders on tissue, where ink is told only in part: what the quality map does not mark "
    "is read as tissue"
)


def flags_of(look: Look, sample: Flags, size: tuple[int, int]) -> tuple[QCFlag, ...]:
    """The flags that a slide's tissue raises.

    Args:
        look: The slide as it was looked at.
        sample: (H, W) bool, the tissue to be scored.
        size: (width, height) of the slide, base pixels.
    """
    numbers, mpp = look.found.numbers, look.found.mpp
    area = _area(sample, mpp)
    bubbles = look.bubbles & sample
    debris = _share(look.debris, look.debris | sample)
    bubble = _share(bubbles, sample)
    folds = look.folds & sample
    folded = _share(folds, sample)
    unscanned = float(look.unscanned.mean())
    beside = cv2.dilate(look.found.pen.view(np.uint8), square_of(_BESIDE_UM, mpp))
    over = _OVER_TISSUE if np.any(sample[beside > 0]) else ""
    stand_in = look.found.white_point_source != "glass"
    judged: tuple[tuple[str, float, str, Flags | None], ...] = (
        ("no_glass", float(stand_in), "no glass in view: everything counts as tissue, the white point is the "
         f"{look.found.white_point_source}.", None),
        ("padding", numbers.padding_share, f"{numbers.padding_share:.0%} of the image is scanner padding.",
         look.padding),
        ("unscanned", unscanned, f"unscanned block of {_area(look.unscanned, mpp):.2g} mm2, filled with one "
         f"colour ({unscanned:.1%} of the image), was left out.", look.unscanned),
        ("uneven_light", numbers.illumination_range, "the glass's brightness varies by "
         f"{numbers.illumination_range:.3f} OD across the slide.", None),
        ("pen", numbers.pen_share, f"pen ink on {numbers.pen_share:.1%} of the slide was left out{over}.",
         look.found.pen),
        ("out_of_focus", numbers.blurred_share, f"{numbers.blurred_share:.0%} of the tissue looks out of "
         "focus; its cells are measured all the same.",
         look.blurred & sample),
        ("bubble", bubble if look.bubbles.any() else -1.0, f"air bubbles of {_area(look.bubbles, mpp):.2g} "
         f"mm2: {bubble:.1%} of the tissue lies under them and its cells are not measured.",
         bubbles if bubble else look.bubbles),
        ("fold", folded if folds.any() else -1.0, f"tissue lies double on {_area(folds, mpp):.2g} mm2 "
         f"({folded:.1%} of it): cells in such folds read too strong, and are measured all the same.", folds),
        ("debris", debris if look.debris.any() else -1.0, "debris on the glass or an edge of the slide, "
         f"{_area(look.debris, mpp):.2g} mm2 without any nucleus ({debris:.1%} of what looked like tissue), "
         "was left out.", look.debris),
        ("little_tissue", area, f"only {area:.3f} mm2 of tissue.", sample),
    )  # fmt: skip
    flags = []
    for code, value, message, where in judged:
        effect = CHECKS[code].effect(value)
        if effect is None:
            continue
        if where is None:
            flags.append(QCFlag(code, message, effect))
        else:
            flags.append(QCFlag(code, message, effect, _area(where, mpp), box_around(where, size)))
    return tuple(flags)


def control_flags(choice: Choice, marked: tuple[Piece, ...], size: tuple[int, int]) -> tuple[QCFlag, ...]:
    """What is to be said of control tissue: found, given without tissue, doubtful or nothing."""
    if marked:
        area = sum(piece.area_mm2 for piece in marked)
        cure = "" if choice.given else " If it is sample, score again with --control none."
        message = f"control tissue of {area:.2f} mm2 was left out ({choice.reason}).{cure}"
        return (QCFlag("control", message, "note", area, around(marked), choice.end),)
    if choice.given:
        message = f"{choice.reason or 'the control tissue given holds no tissue'}: nothing was left out."
        return (QCFlag("control_empty", message, "warn"),)
    if choice.doubtful is not None:
        pieces = pieces_of(choice.doubtful, size, choice.mpp)
        area = sum(piece.area_mm2 for piece in pieces)
        message = (
            f"tissue of {area:.2f} mm2 may be on-slide control tissue ({choice.reason}); nothing was left "
            "out: look, and score again with --control none, or --control and its end or outline."
        )
        return (QCFlag("control_doubtful", message, "warn", area, around(pieces), choice.end),)
    return ()


def _area(where: Flags, mpp: float) -> float:
    """mm2."""
    return float(np.count_nonzero(where)) * mpp**2 / 1e6


def _share(where: Flags, of: Flags) -> float:
    return float(np.count_nonzero(where)) / max(1, int(np.count_nonzero(of)))


def box_around(where: Flags, size: tuple[int, int]) -> Box | None:
    """The box around what is marked, base pixels."""
    x, y, width, height = cv2.boundingRect(where.view(np.uint8))
    if width == 0 or height == 0:
        return None
    across, down = size[0] / where.shape[1], size[1] / where.shape[0]
    left, top = int(x * across), int(y * down)
    right, bottom = min(size[0], round((x + width) * across)), min(size[1], round((y + height) * down))
    return Box(left, top, max(1, right - left), max(1, bottom - top))
