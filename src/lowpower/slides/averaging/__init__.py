"""A level averaged into an output grid, band by band."""

from lowpower.slides.averaging._axis import Axis
from lowpower.slides.averaging._strips import fill_grid

__all__ = [
    "Axis",
    "fill_grid",
]
