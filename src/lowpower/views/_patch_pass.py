"""One pass over a slide's patches, inspected as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.errors import NoTissueError
from lowpower.views._patch_qc import PATCH_REASONS, PatchQC, inspect_patches, reason_counts
from lowpower.views._patch_stream import read_patches
from lowpower.views._patches import PatchGrid

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["ahead", "inspected", "kept_patches"]

Item = TypeVar("Item")


def kept_patches(
    slide: Slide, grid: PatchGrid, white_point: ArrayLike, qc: PatchQC | None, *, batch: int = 64
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """The patches that pass the inspection, in the order that feature files hold them.

    Args:
        slide: The open slide.
        grid: Its patches.
        white_point: (3,) RGB of its glass.
        qc: Thresholds of the inspection; None inspects nothing.
        batch: Patches read at once.

    Yields:
        Images (B, H, W, 3) uint8 and their places in the grid (B,), B >= 1.

    Raises:
        NoTissueError: none passes.
        DamagedSlideError: pixels cannot be decoded.
    """
    reasons = np.zeros(len(grid), np.uint8)
    for images, index, told in ahead(inspected(slide, grid, white_point, qc, batch)):
        reasons[index] = told
        keep = told == PATCH_REASONS.index("ok")
        if keep.any():
            yield images[keep], index[keep]
    if not (reasons == PATCH_REASONS.index("ok")).any():
        raise NoTissueError(
            slide.path, f"none of {len(grid)} patches passed the inspection: {reason_counts(reasons)}."
        )


def inspected(
    slide: Slide, grid: PatchGrid, white_point: ArrayLike, qc: PatchQC | None, batch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]]:
    """Images (B, H, W, 3), their places in the grid (B,), and what is said of each, as `inspect_patches`."""
    for some in read_patches(slide, grid, batch=batch):
        passed = np.zeros(len(some.index), np.uint8)
        told = passed if qc is None else inspect_patches(some.images, white_point, grid.mpp, qc)
        yield some.images, some.index, told


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """`items`, the next one being made in a thread while the last one is used."""
    done = object()
    with ThreadPoolExecutor(1, thread_name_prefix="lowpower-ahead") as pool:
        future = pool.submit(next, items, done)
        while (item := future.result()) is not done:
            future = pool.submit(next, items, done)
            yield item  # type: ignore[misc]
