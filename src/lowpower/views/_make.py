"""From an open slide and its tissue to a view."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import ConfigError, NoTissueError
from lowpower.slides import Slide
from lowpower.tissue import Tissue
from lowpower.units import Box, Mpp, scaled_size
from lowpower.views._recipe import LowResRecipe, View

__all__ = ["make_view"]


def make_view(slide: Slide, tissue: Tissue, recipe: LowResRecipe) -> View:
    """Make the view of a slide.

    Args:
        slide: An open slide.
        tissue: Its tissue.
        recipe: How.

    Returns:
        The tissue's bounding box plus margin, inside the slide, at the recipe's um/px. The effective um/px
        differs from it only by rounding to whole pixels.

    Raises:
        NoTissueError: if no pixel of the view is tissue.
        ConfigError: if the view would exceed the recipe's `max_megapixels`.
    """
    box = tissue.box.padded(round(recipe.margin_um / slide.mpp)).clipped(*slide.size)
    if box is None:
        raise NoTissueError(slide.path, f"the tissue's box {tissue.box} lies outside the slide.")
    width, height = scaled_size(box.width, box.height, slide.mpp, recipe.mpp)
    if width * height > recipe.max_megapixels * 1e6:
        raise ConfigError(
            f"{slide.path}: a view of {width} x {height} px at {recipe.mpp:g} um/px exceeds max_megapixels "
            f"({recipe.max_megapixels:g}); choose coarser um/px or raise max_megapixels."
        )
    image = slide.read(box, recipe.mpp)
    mask = _mask_of(tissue, box, slide, image.shape[:2])
    if not mask.any():
        raise NoTissueError(slide.path, f"no tissue is left at {recipe.mpp:g} um/px.")
    # Whole grey values: filled glass divided by the white point is then exactly 1.0 for every scanner.
    white = np.clip(np.rint(tissue.white_point), 1, 255).astype(np.float32)
    effective = float(np.sqrt(box.width * box.height / (image.shape[0] * image.shape[1]))) * slide.mpp
    if recipe.glass == "white_point":
        image = _fill_glass(image, mask, white, recipe.grow_mask_um / effective)
    return View(image, mask, box, Mpp(effective), white)


def _mask_of(tissue: Tissue, box: Box, slide: Slide, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The tissue mask over `box`, resampled to `shape`: pixel centres are looked up in the mask."""
    height, width = tissue.mask.shape
    per_x, per_y = width / slide.size[0], height / slide.size[1]
    columns = (box.x + (np.arange(shape[1]) + 0.5) * box.width / shape[1]) * per_x
    rows = (box.y + (np.arange(shape[0]) + 0.5) * box.height / shape[0]) * per_y
    # Average the mask's pixels under one view pixel first, where the view is the coarser one.
    across, down = box.width / shape[1] * per_x, box.height / shape[0] * per_y
    source: Any = tissue.mask.astype(np.float32)
    if max(across, down) > 1:
        source = cv2.blur(
            source, (max(1, round(across)), max(1, round(down))), borderType=cv2.BORDER_CONSTANT
        )
    columns = np.clip(columns.astype(np.intp), 0, width - 1)
    rows = np.clip(rows.astype(np.intp), 0, height - 1)
    return np.asarray(source[np.ix_(rows, columns)] >= 0.5)


def _fill_glass(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: NDArray[np.float32], grow: float
) -> NDArray[np.uint8]:
    """Paint everything further than `grow` pixels from the mask in the slide's glass colour."""
    radius = round(grow)
    kept: Any = mask.astype(np.uint8)
    if radius > 0:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        kept = cv2.dilate(kept, kernel)
    filled = image.copy()
    filled[kept == 0] = white_point.astype(np.uint8)
    return filled
