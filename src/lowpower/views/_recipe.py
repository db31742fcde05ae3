"""What a view is made by, and the view itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowpower.units import Box, Mpp

__all__ = ["LowResRecipe", "View"]


class LowResRecipe(BaseModel):
    """How a slide becomes one low-resolution image: fixed physical scale, any aspect ratio.

    A view is never scaled to a side length: a cell covers the same number of pixels in a biopsy and in a
    resection.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    kind: Literal["low_resolution"] = "low_resolution"
    mpp: float = Field(8.0, ge=0.1, le=64.0, description="Resolution of the view, um/px.")
    margin_um: float = Field(
        64.0, ge=0.0, le=5000.0, description="Glass kept around the tissue's bounding box, um."
    )
    glass: Literal["white_point", "as scanned"] = Field(
        "white_point",
        description="What stands outside the tissue mask: the slide's own glass colour, which also removes "
        "dust, pen and control tissue, or the pixels as scanned.",
    )
    grow_mask_um: float = Field(
        16.0, ge=0.0, le=500.0, description="How far the tissue mask is grown before glass is filled, um."
    )
    max_megapixels: float = Field(
        150.0, gt=0.0, description="Views above this many million pixels are refused: memory stays bounded."
    )

    def digest(self) -> str:
        """SHA-256 over the recipe, hexadecimal."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class View:
    """A slide's tissue at low resolution.

    Attributes:
        image: (H, W, 3) uint8 RGB, as the scanner saw it; glass by the recipe.
        mask: (H, W) bool, tissue.
        box: The part of the slide that the image covers, base pixels.
        mpp: Effective um/px of the image.
        white_point: (3,) float32, RGB of this slide's glass, whole numbers 1..255. Networks see
            `image / white_point`, so that glass is 1.0 for every scanner.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    box: Box
    mpp: Mpp
    white_point: NDArray[np.float32]
