"""What lies where on a slide, as one map with a legend, for pictures and for QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import mask_features, write_geojson
from lowpower.tissue._grid import Flags
from lowpower.tissue._types import Tissue
from lowpower.tissue.control import Choice
from lowpower.tissue.find import Look

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = [
    "LAYERS",
    "Layer",
    "QualityMap",
    "label_layers",
    "measurable",
    "quality_features",
    "quality_map",
    "write_quality_geojson",
]


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that a quality map shows.

    Attributes:
        code: The code of its flag; `glass` and `tissue` have none.
        name: For a legend.
        colour: RGB; blue and orange of the Okabe-Ito palette and their like, told apart by the colour-blind.
    """

    code: str
    name: str
    colour: tuple[int, int, int]


LAYERS: Final = (
    Layer("glass", "Glass", (255, 255, 255)),
    Layer("tissue", "Tissue", (0, 158, 115)),
    Layer("control", "Control tissue, left out", (0, 114, 178)),
    Layer("control_doubtful", "May be control tissue", (86, 180, 233)),
    Layer("pen", "Pen", (213, 94, 0)),
    Layer("out_of_focus", "Out of focus", (230, 159, 0)),
    Layer("bubble", "Air bubble, left out", (204, 121, 167)),
    Layer("padding", "Scanner padding", (110, 110, 110)),
    Layer("unscanned", "Not scanned", (60, 40, 110)),
    Layer("debris", "Debris or edge, left out", (150, 120, 20)),
    Layer("fold", "Fold", (0, 60, 90)),
)
"""By label: 0 is glass, 1 sound tissue."""
_LABEL = {layer.code: label for label, layer in enumerate(LAYERS)}


@dataclass(frozen=True, eq=False)
class QualityMap:
    """A slide's labels and what they mean.

    Attributes:
        labels: (H, W) uint8 over the whole slide, indices into `LAYERS`.
        legend: (layer, area in mm2) of each label that occurs, glass left out.
    """

    labels: NDArray[np.uint8]
    legend: tuple[tuple[Layer, float], ...]


def label_layers(look: Look, sample: Flags, choice: Choice) -> NDArray[np.uint8]:
    """(H, W) labels of a slide; where two things meet, the one that matters more."""
    labels = sample.astype(np.uint8)
    if choice.doubtful is not None:
        labels[choice.doubtful] = _LABEL["control_doubtful"]
    for code, where in (
        ("out_of_focus", look.blurred & sample),
        ("fold", look.folds & sample),
        ("bubble", look.bubbles),
        ("control", choice.mask),
        ("pen", look.found.pen),
        ("padding", look.padding),
        ("unscanned", look.unscanned),
        ("debris", look.debris & ~sample),
    ):
        labels[where] = _LABEL[code]
    return labels


def measurable(tissue: Tissue) -> NDArray[np.bool_]:
    """(H, W) bool, the tissue whose cells can be measured: not under air bubbles."""
    return np.asarray(tissue.mask & (tissue.labels != _LABEL["bubble"]), np.bool_)


def quality_map(tissue: Tissue) -> QualityMap:
    """The map of a slide's tissue, control tissue and defects, with its legend."""
    counts = np.bincount(tissue.labels.ravel(), minlength=len(LAYERS)).tolist()
    pixel = tissue.mpp**2 / 1e6
    legend = tuple((LAYERS[label], counts[label] * pixel) for label in range(1, len(LAYERS)) if counts[label])
    return QualityMap(tissue.labels, legend)


def write_quality_geojson(path: str | Path, tissue: Tissue, slide: Slide) -> None:
    """Write control tissue and defects as locked QuPath annotations in base pixels, one a piece.

    Raises:
        OutputError: if it cannot be written.
    """
    write_geojson(path, quality_features(tissue, slide.size))


def quality_features(tissue: Tissue, size: tuple[int, int]) -> list[dict[str, Any]]:
    """The GeoJSON features of a quality map, for a slide of `size` base pixels; sound tissue left out."""
    return [
        feature
        for layer, _ in quality_map(tissue).legend
        if layer.code != "tissue"
        for feature in mask_features(tissue.labels == _LABEL[layer.code], size, layer.name, layer.colour)
    ]
