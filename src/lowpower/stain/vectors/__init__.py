"""Optical density, a slide's own stain vectors, and what is wrong with its stain."""

from lowpower.stain.vectors._clipping import clipping
from lowpower.stain.vectors._look import StainLook, looks_like
from lowpower.stain.vectors._optical_density import (
    RUIFROK_DAB,
    RUIFROK_E,
    RUIFROK_H,
    mean_density,
    optical_density,
    to_rgb,
    unit_vector,
    unmix,
)
from lowpower.stain.vectors._stain_faults import STAIN_CODES, stain_quality, vector_quality
from lowpower.stain.vectors._vectors import LEAST_RED, StainVectors, estimate_stains

__all__ = [
    "LEAST_RED",
    "RUIFROK_DAB",
    "RUIFROK_E",
    "RUIFROK_H",
    "STAIN_CODES",
    "StainLook",
    "StainVectors",
    "clipping",
    "estimate_stains",
    "looks_like",
    "mean_density",
    "optical_density",
    "stain_quality",
    "to_rgb",
    "unit_vector",
    "unmix",
    "vector_quality",
]
