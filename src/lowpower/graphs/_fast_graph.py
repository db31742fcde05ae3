"""OpenVINO: bfloat16 where the processor computes in it, a third of the time with AMX; else 32 bits.

Results then depend on the processor, a little: docs/performance.md says how little.
"""

from __future__ import annotations

import sys
import threading
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.engine import default_workers
from lowpower.errors import OptionError, install_with

__all__ = ["FastGraph", "fast_name", "openvino_core"]

_TELEMETRY = "openvino_telemetry"


class FastGraph:
    """A `Graph` by OpenVINO."""

    def __init__(self, model: bytes, *, side_by_side: bool) -> None:
        core, threads = openvino_core(), default_workers()
        self._compiled = core.compile_model(
            core.read_model(model),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if _has_bfloat16() else "f32",
                # A stream a thread: each image is then worked on by one, whatever others do.
                "NUM_STREAMS": threads if side_by_side else 1,
                "INFERENCE_NUM_THREADS": threads,
                "ENABLE_CPU_PINNING": False,  # others want to work
            },
        )
        self._local = threading.local()

    def run(self, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """As `Graph`."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        held = {name: _tensor(given) for name, given in inputs.items()}
        found = self._local.request.infer(held, share_outputs=True)
        # The next run writes where this one's outputs lie.
        return [np.array(found[index], np.float32) for index in range(len(found))]

    def rest(self, **_: NDArray[np.float32]) -> None:
        """As `Graph`."""
        if hasattr(self._local, "request"):
            del self._local.request
        self._compiled.release_memory()


@lru_cache(maxsize=1)
def openvino_core() -> Any:
    """OpenVINO.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return _openvino().Core()
    except ImportError as error:
        raise OptionError(f"--precision fast needs OpenVINO; {install_with('openvino')}") from error


def fast_name() -> str:
    """As `runtime_name`."""
    openvino_core()
    version = _openvino().__version__.split("-")[0]
    numbers = "bfloat16" if _has_bfloat16() else "32 bits, for this processor has no bfloat16"
    return f"OpenVINO {version}, {numbers}"


def _has_bfloat16() -> bool:
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@lru_cache(maxsize=1)
def _openvino() -> ModuleType:
    """The package, kept from reporting its use: importing it makes an id in the home and asks the network."""
    absent: Any = None
    if _TELEMETRY not in sys.modules:
        sys.modules[_TELEMETRY] = absent  # who imports it is told that it is not there, and does without
    try:
        import openvino
    finally:
        if sys.modules.get(_TELEMETRY) is None:
            sys.modules.pop(_TELEMETRY, None)
    module: ModuleType = openvino
    return module


def _tensor(array: NDArray[np.float32]) -> Any:
    return _openvino().Tensor(np.ascontiguousarray(array), shared_memory=True)
