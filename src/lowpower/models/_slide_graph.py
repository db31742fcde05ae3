"""A slide network as it runs without PyTorch: ONNX files beside its weights, and what ties them together.

`near.onnx` turns a view, or a tile of one, into its finest features and its colours, `far.onnx` the features
into coarser ones that look far around, `cells.onnx` all of these into a feature vector a cell, `answer.onnx`
all cells into logits and the map. `graphs.json` holds their checksums, that of the weights they were made of,
and their geometry. `recipes/compile_slide_network.py` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowpower.errors import BundleError
from lowpower.files import sha256_of
from lowpower.graphs import Graph, Precision, compiled

__all__ = ["ANSWER", "CELLS", "FAR", "GRAPHS", "NEAR", "GraphNotes", "SlideGraph", "slide_graph"]

NEAR: Final = "near.onnx"
FAR: Final = "far.onnx"
CELLS: Final = "cells.onnx"
ANSWER: Final = "answer.onnx"
GRAPHS: Final = "graphs.json"

Floats = NDArray[np.float32]


class GraphNotes(BaseModel):
    """What graphs.json says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights_sha256: str
    sha256: dict[str, str] = Field(description="Of each file.")
    multiple: int = Field(description="Views are filled up to multiples of this, pixels.")
    stride: int = Field(description="Pixels a side of a cell.")
    near_reach: int = Field(description="How far away a pixel may change the finest features, pixels.")
    reach: int = Field(description="How far away a pixel may change a cell, pixels.")


@dataclass(frozen=True, eq=False)
class SlideGraph:
    """The graphs of a slide network.

    Attributes:
        folder: The bundle's.
        notes: What graphs.json says.
        precision: Which runtime draws the features; the answer from them, a millisecond, is always exact.
    """

    folder: Path
    notes: GraphNotes
    precision: Precision = "exact"

    def near(self, image: Floats) -> list[Floats]:
        """Finest features and colours, each (1, n, h, w), of an image (1, 3, H, W), over the white."""
        return _graph(self.folder / NEAR, self.precision).run(image=image)

    def far(self, shallow: Floats) -> list[Floats]:
        """Coarser features (1, n, h, w) of a view, or a tile of it, from its finest ones."""
        return _graph(self.folder / FAR, self.precision).run(shallow=shallow)

    def cells(self, shallow: Floats, colour: Floats, *coarse: Floats) -> Floats:
        """(1, h, w, width) features of a view, or a tile of it, from what `near` and `far` give of it."""
        named = {f"coarse{number}": one for number, one in enumerate(coarse)}
        return _graph(self.folder / CELLS, self.precision).run(shallow=shallow, colour=colour, **named)[0]

    def answer(self, cells: Floats, mask: Floats) -> tuple[Floats, Floats]:
        """Logits (1, K or K-1) and local scores (1, h, w) of features and a mask (1, 1, H, W)."""
        graph, side = _graph(self.folder / ANSWER, "exact"), self.notes.stride
        logits, local = graph.run(cells=cells, mask=mask)
        graph.rest(cells=cells[:, :1, :1], mask=mask[..., :side, :side])  # it takes 0.2 GB of a large view
        return logits, local

    def rest(self) -> None:
        """Give back what a view's tiles took, 0.4 GB: the cells that are measured next want it."""
        image = np.ones((1, 3, self.notes.multiple, self.notes.multiple), np.float32)
        near, far = _graph(self.folder / NEAR, self.precision), _graph(self.folder / FAR, self.precision)
        near.rest(image=image)
        shallow, colour = self.near(image)
        far.rest(shallow=shallow)
        named = {f"coarse{number}": one for number, one in enumerate(self.far(shallow))}
        _graph(self.folder / CELLS, self.precision).rest(shallow=shallow, colour=colour, **named)


def slide_graph(folder: Path, weights_sha256: str) -> SlideGraph | None:
    """The graphs of a bundle; None where it has none of these weights.

    Raises:
        BundleError: they were altered.
    """
    path = folder / GRAPHS
    if not path.is_file():
        return None
    try:
        notes = GraphNotes.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleError(f"{path}: cannot be used; get the bundle again.") from error
    if notes.weights_sha256 != weights_sha256:
        return None
    for name in (NEAR, FAR, CELLS, ANSWER):
        file = folder / name
        if not file.is_file() or sha256_of(file) != notes.sha256.get(name):
            raise BundleError(f"{file}: is missing or was altered; get the bundle again.")
    return SlideGraph(folder, notes)


@lru_cache(maxsize=6)
def _graph(path: Path, precision: Precision) -> Graph:
    return compiled(path.read_bytes(), precision, side_by_side=False)
