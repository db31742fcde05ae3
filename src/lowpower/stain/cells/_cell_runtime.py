"""Runs the cell network where slides are measured: through ONNX Runtime, which starts in a tenth of a second.

PyTorch, which trained it, takes a quarter longer for each pixel, seconds to import and half a gigabyte.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np
import onnxruntime

from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["GRAPH", "drawn_maps"]

GRAPH: Final = "cell_network.onnx"
"""Made of the weights by `recipes/compile_cell_network.py`."""
_ERRORS_ONLY: Final = 3


def drawn_maps(stains: Floats) -> Floats:
    """(4, H / 2, W / 2) maps, 0..1, of stains (3, H, W) as `network_input` gives them; safe in threads."""
    (maps,) = _session().run(None, {"stains": stains[None]})
    return np.asarray(maps[0], np.float32)


@lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Fields are worked on side by side; splitting each one again would only get in the way. It would also
    # round the network's sums differently: one worker must give the same bytes as two.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # fields differ in size
    options.log_severity_level = _ERRORS_ONLY
    graph = (resources.files("lowpower.stain") / GRAPH).read_bytes()
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
