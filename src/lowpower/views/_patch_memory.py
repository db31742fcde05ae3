"""Memory of patches, used again once nobody looks at it: fresh pages cost a third of decoding into them."""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray

__all__ = ["Recycled"]


class Recycled:
    """Gives out arrays of bytes; the memory of one that is gone, with all its views, serves the next.

    Args:
        size: Bytes of the largest array.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[bytearray] = []

    def array(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of any content, at most `size` bytes; the caller's as long as a view of it lives."""
        block = self._free.pop() if self._free else bytearray(self._size)
        # Every view of an array over such memory keeps that array, the array keeps the memory.
        array: NDArray[np.uint8] = np.ndarray(shape, np.uint8, buffer=block)
        weakref.finalize(array, self._free.append, block).atexit = False
        return array
