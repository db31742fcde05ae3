"""Pixels at the ends of the scale: the stain there is darker or paler than the file can say."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.slides import Slide
from lowpower.tissue import CHECKS, QCFlag, Tissue
from lowpower.units import Box

__all__ = ["clipping"]

_FIELDS = 24
_FIELD_PIXELS = 512
_COLOURED = 25
"""Levels below the top at which another channel shows that a pixel is stained, not empty glass."""


def clipping(slide: Slide, tissue: Tissue) -> tuple[QCFlag, ...]:
    """What is to be said of clipped tissue, from 24 fields of base pixels spread over it.

    Averaged pixels hide clipping, so it is looked for at the slide's own resolution: black in one channel, or
    white in one while another is stained. Thresholds stand in `lowpower.tissue.CHECKS`.
    """
    rows, columns = np.nonzero(tissue.mask)
    across, down = slide.size[0] / tissue.mask.shape[1], slide.size[1] / tissue.mask.shape[0]
    black = white = pixels = 0
    for index in np.linspace(0, len(rows) - 1, _FIELDS).astype(int).tolist():
        x, y = int((columns[index] + 0.5) * across), int((rows[index] + 0.5) * down)
        half = _FIELD_PIXELS // 2
        box = Box(x - half, y - half, _FIELD_PIXELS, _FIELD_PIXELS).clipped(*slide.size)
        if box is None:
            continue
        # Split first: numpy's own minimum over three interleaved channels takes ten times as long.
        red, green, blue = cv2.split(slide.read(box, slide.mpp))
        low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
        on = _on(tissue, box, across, down)
        black += int(np.count_nonzero((low == 0) & on))
        white += int(np.count_nonzero((high == 255) & (low < 255 - _COLOURED) & on))
        pixels += int(np.count_nonzero(on))
    dark, bright = black / max(pixels, 1), white / max(pixels, 1)
    said = (
        ("clipped", dark, f"{dark:.1%} of the tissue's pixels are clipped to black in a channel: intense "
         "staining cannot be graded there."),
        ("overexposed", bright, f"{bright:.1%} of the tissue's pixels are stained and clipped to white in a "
         "channel (overexposed): faint staining may be lost."),
    )  # fmt: skip
    judged = ((code, message, CHECKS[code].effect(value)) for code, value, message in said)
    return tuple(QCFlag(code, message, effect) for code, message, effect in judged if effect is not None)


def _on(tissue: Tissue, box: Box, across: float, down: float) -> NDArray[np.bool_]:
    """(height, width) bool, the tissue on a box of base pixels."""
    rows, columns = tissue.mask.shape
    row = np.minimum((np.arange(box.y, box.y + box.height) / down).astype(int), rows - 1)
    column = np.minimum((np.arange(box.x, box.x + box.width) / across).astype(int), columns - 1)
    return np.asarray(tissue.mask[row[:, None], column], np.bool_)
