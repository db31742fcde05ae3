"""ONNX Runtime: 32 bits, the same numbers as PyTorch to 1e-5, and it starts in a tenth of a second."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import onnxruntime
from numpy.typing import NDArray

__all__ = ["ExactGraph", "exact_name"]

_ERRORS_ONLY = 3


class ExactGraph:
    """A `Graph` by ONNX Runtime."""

    def __init__(self, model: bytes, *, side_by_side: bool) -> None:
        options = onnxruntime.SessionOptions()
        if side_by_side:
            options.intra_op_num_threads = options.inter_op_num_threads = 1
        else:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others want to work
        options.enable_mem_pattern = False  # images differ in size
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(self, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """As `Graph`."""
        return [np.asarray(found, np.float32) for found in self._session.run(None, inputs)]

    def rest(self, **smallest: NDArray[np.float32]) -> None:
        """As `Graph`."""
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._session.run(None, smallest, options)


def exact_name() -> str:
    """As `runtime_name`."""
    return f"ONNX Runtime {metadata.version('onnxruntime')}, 32 bits"
