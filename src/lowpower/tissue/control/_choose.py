"""Which tissue is control: as the user says, or as the search finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import RegionsError
from lowpower.geometry import read_mask
from lowpower.tissue._grid import Flags, Plane
from lowpower.tissue._types import Control
from lowpower.tissue.control._clusters import Layout, lay_out
from lowpower.tissue.control._control_given import box_of, end_of, wrong_control
from lowpower.tissue.control._search import search_control
from lowpower.units import Box

__all__ = ["Choice", "choose_control", "on_grid"]


@dataclass(frozen=True, eq=False)
class Choice:
    """What is control tissue.

    Attributes:
        mask: (H, W) bool.
        mpp: um/px of the masks.
        reason: Why, or why it stays open.
        given: Whether the user said where it is.
        doubtful: (H, W) bool, tissue that may be control tissue and was left in; None where there is none.
        end: The end of the slide at which what was searched for lies, a key of `ENDS`.
        ways: Masks (H, W) of what may be control, each to be left out in turn, and the end that names it.
    """

    mask: Flags
    mpp: float
    reason: str = ""
    given: bool = False
    doubtful: Flags | None = None
    end: str | None = None
    ways: tuple[tuple[Flags, str | None], ...] = ()


def choose_control(tissue: Flags, off: Plane, mpp: float, control: Control, size: tuple[int, int]) -> Choice:
    """Tell control tissue from sample.

    Args:
        tissue: (H, W) bool, all tissue.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px of both.
        control: What `find_tissue` takes.
        size: (width, height) of the slide, base pixels.
    """
    nothing = np.zeros(tissue.shape, bool)
    if isinstance(control, str) and control == "none":
        return Choice(nothing, mpp)
    said = end_of(control)
    if said is None and not (isinstance(control, str) and control == "auto"):
        marked = tissue & _given(control, tissue.shape, size)
        return Choice(marked, mpp, "as given" if marked.any() else "", given=True)
    layout = lay_out(tissue, off, mpp)
    search = search_control(layout, said)
    reason = "; ".join(search.reasons)
    if search.end is not None:
        reason = f"{search.end}; {reason}"
    if search.control:
        return Choice(tissue & _belonging(layout, search.control, tissue.shape), mpp, reason, end=search.end)
    if search.doubtful:
        doubtful = tissue & _belonging(layout, search.doubtful, tissue.shape)
        ways = tuple(
            (tissue & _belonging(layout, members, tissue.shape), end) for members, end in search.ways
        )
        return Choice(nothing, mpp, reason, doubtful=doubtful, end=search.end, ways=ways)
    if said is not None:
        return Choice(nothing, mpp, f"no piece stands apart at the {said}", given=True)
    return Choice(nothing, mpp)


def on_grid(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> Flags:
    """A mask over the whole slide brought to `shape`.

    Raises:
        ValueError: if it is not two-dimensional bool.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"a mask is (h, w) bool, got {mask.shape} {mask.dtype}")
    resized = cv2.resize(mask.view(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return resized.reshape(shape).astype(bool)


def _given(control: Control, shape: tuple[int, ...], size: tuple[int, int]) -> Flags:
    control = box_of(control) or control
    if isinstance(control, Box):
        marked = np.zeros(shape, bool)
        across, down = shape[1] / size[0], shape[0] / size[1]
        marked[
            max(0, round(control.y * down)) : max(0, round(control.bottom * down)),
            max(0, round(control.x * across)) : max(0, round(control.right * across)),
        ] = True
        return marked
    if isinstance(control, np.ndarray):
        return on_grid(control, shape)
    wrong = wrong_control(str(control))
    if wrong is not None:
        raise RegionsError(Path(control), wrong)
    return on_grid(read_mask(control, size, "control").mask, shape)


def _belonging(layout: Layout, members: tuple[int, ...], shape: tuple[int, ...]) -> Flags:
    """(H, W) bool, the pixels nearest to these clusters."""
    chosen = np.isin(layout.nearest, members).astype(np.uint8)
    full = cv2.resize(chosen, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, bool).reshape(shape)
