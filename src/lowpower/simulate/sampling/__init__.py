"""Which laboratories, scanners and slides are drawn: the ranges of domain randomisation."""

from lowpower.simulate.sampling._draw_nuclear import (
    USUAL_STATUSES,
    draw_nuclear_shares,
    draw_nuclear_slide,
    is_nuclear_border,
)
from lowpower.simulate.sampling._draw_slides import draw_laboratory, draw_scanner, draw_slide
from lowpower.simulate.sampling._shares import BORDER, draw_shares, is_border

__all__ = [
    "BORDER",
    "USUAL_STATUSES",
    "draw_laboratory",
    "draw_nuclear_shares",
    "draw_nuclear_slide",
    "draw_scanner",
    "draw_shares",
    "draw_slide",
    "is_border",
    "is_nuclear_border",
]
