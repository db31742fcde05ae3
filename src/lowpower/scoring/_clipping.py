"""Pixels at the ends of the scale: the stain there is darker or paler than the file can say."""

from __future__ import annotations

import numpy as np

from lowpower.slides import Slide
from lowpower.tissue import Tissue
from lowpower.units import Box

__all__ = ["clipping_notes"]

_FIELDS = 12
_FIELD_PIXELS = 512
_SHARE = 0.05
_COLOURED = 25
"""Levels below the top at which another channel shows that a pixel is stained, not empty glass."""


def clipping_notes(slide: Slide, tissue: Tissue) -> tuple[str, ...]:
    """What is to be said of clipped pixels, from twelve fields of base pixels spread over the tissue.

    Averaged pixels hide clipping, so it is looked for at the slide's own resolution. More than 5 % of the
    fields' pixels must be clipped: black in one channel, or white in one while another is stained.
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
        image = slide.read(box, slide.mpp)
        low, high = image.min(axis=2), image.max(axis=2)
        black += int(np.count_nonzero(low == 0))
        white += int(np.count_nonzero((high == 255) & (low < 255 - _COLOURED)))
        pixels += low.size
    notes = []
    if black > _SHARE * pixels:
        notes.append(
            f"{black / pixels:.0%} of the looked-at pixels are clipped to black in a channel: "
            "intense staining cannot be graded there."
        )
    if white > _SHARE * pixels:
        notes.append(
            f"{white / pixels:.0%} of the looked-at pixels are stained and clipped to white in a channel "
            "(overexposed): faint staining may be lost."
        )
    return tuple(notes)
