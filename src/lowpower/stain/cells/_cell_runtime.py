"""Runs the cell network where slides are measured: without PyTorch, which trained it.

That takes a quarter longer for each pixel, seconds to import and half a gigabyte.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np

from lowpower.graphs import Graph, Precision, compiled
from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["GRAPH", "drawn_maps", "give_back"]

GRAPH: Final = "cell_network.onnx"
"""Made of the weights by `recipes/compile_cell_network.py`."""
_SMALLEST: Final = 16


def drawn_maps(stains: Floats, precision: Precision = "exact") -> Floats:
    """(4, H / 2, W / 2) maps, 0..1, of stains (3, H, W) as `network_input` gives them; safe in threads."""
    maps: Floats = _graph(precision).run(stains=stains[None])[0][0]
    return maps


def give_back(precision: Precision = "exact") -> None:
    """Give back the memory that fields took, 0.1 GB a thread: what is done with their cells wants it."""
    _graph(precision).rest(stains=np.zeros((1, 3, _SMALLEST, _SMALLEST), np.float32))


@lru_cache(maxsize=2)
def _graph(precision: Precision) -> Graph:
    model = (resources.files("lowpower.stain") / GRAPH).read_bytes()
    # Fields are worked on side by side, and one worker must give the same bytes as two.
    return compiled(model, precision, side_by_side=True)
