"""Stain as measured, without training: optical density, stain vectors, what a slide is stained with."""

from lowpower.stain._density import (
    RUIFROK_DAB,
    RUIFROK_E,
    RUIFROK_H,
    optical_density,
    to_rgb,
    unit_vector,
    unmix,
)
from lowpower.stain._look import StainLook, looks_like
from lowpower.stain._vectors import StainVectors, estimate_stains

__all__ = [
    "RUIFROK_DAB",
    "RUIFROK_E",
    "RUIFROK_H",
    "StainLook",
    "StainVectors",
    "estimate_stains",
    "looks_like",
    "optical_density",
    "to_rgb",
    "unit_vector",
    "unmix",
]
