"""One way to run a network's ONNX file, whichever runtime does it."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import OptionError

__all__ = ["Graph", "Precision", "check_precision", "compiled", "runtime_name"]

Floats: TypeAlias = NDArray[np.float32]

Precision = Literal["exact", "fast"]
"""exact: 32 bits by ONNX Runtime, the same on every machine; fast: OpenVINO, bfloat16 where the processor
has it."""


class Graph(Protocol):
    """A network, ready to run; safe in threads."""

    def run(self, **inputs: Floats) -> list[Floats]:
        """Its outputs, in the file's order, of inputs by name."""
        ...

    def rest(self, **smallest: Floats) -> None:
        """Give back the memory that large inputs took; runs once more, on the smallest that there are."""
        ...


def compiled(model: bytes, precision: Precision = "exact", *, side_by_side: bool) -> Graph:
    """A network made ready.

    Args:
        model: The ONNX file.
        precision: Which runtime.
        side_by_side: Called by several threads at once, each of which works alone on its input: splitting
            that again would only get in the way, and would round sums differently by the number of threads.

    Raises:
        OptionError: "fast" without OpenVINO.
    """
    if precision == "fast":
        from lowpower.graphs._fast_graph import FastGraph

        return FastGraph(model, side_by_side=side_by_side)
    from lowpower.graphs._exact_graph import ExactGraph

    return ExactGraph(model, side_by_side=side_by_side)


def runtime_name(precision: Precision) -> str:
    """What runs networks, its version and numbers, as records say it.

    Raises:
        OptionError: "fast" without OpenVINO.
    """
    if precision == "fast":
        from lowpower.graphs._fast_graph import fast_name

        return fast_name()
    from lowpower.graphs._exact_graph import exact_name

    return exact_name()


def check_precision(precision: str) -> None:
    """Refuse a precision that is none, or that cannot be had here.

    Raises:
        OptionError: it is not one of `Precision`, or "fast" without OpenVINO.
    """
    known = get_args(Precision)
    if precision not in known:
        raise OptionError(f"--precision is one of {', '.join(known)}, not '{precision}'.")
    if precision == "fast":
        from lowpower.graphs._fast_graph import openvino_core

        openvino_core()
