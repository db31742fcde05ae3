"""Tissue as a picture: the slide with what lies where outlined and coloured."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowpower.tissue._layers import LAYERS
from lowpower.tissue._types import Tissue

__all__ = ["draw_tissue", "paint_layers"]

_SOUND = 1


def draw_tissue(tissue: Tissue) -> Image.Image:
    """The slide, sound tissue outlined, control tissue and defects coloured as in `LAYERS`.

    Raises:
        ValueError: the tissue was made without a picture of its slide.
    """
    if tissue.picture is None:
        raise ValueError("this tissue carries no picture of its slide; find_tissue makes one that does")
    return Image.fromarray(paint_layers(tissue.picture, tissue.labels))


def paint_layers(image: NDArray[np.uint8], layers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of a picture of the slide with every layer outlined, and coloured but for sound tissue.

    Args:
        image: (h, w, 3) RGB, the whole slide.
        layers: (H, W), the same at any scale: indices into `LAYERS`.
    """
    picture = image.copy()
    height, width = picture.shape[:2]
    labels = cv2.resize(layers, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width)
    colours = np.array([layer.colour for layer in LAYERS], np.uint8)
    marked = labels > _SOUND
    picture[marked] = (0.5 * picture[marked] + 0.5 * colours[labels[marked]]).astype(np.uint8)
    for label in np.unique(labels[labels > 0]).tolist():
        here = (labels == label).astype(np.uint8)
        edges, _ = cv2.findContours(here, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, edges, -1, LAYERS[label].colour, 2, cv2.LINE_AA)
    return picture
