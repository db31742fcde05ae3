"""What is where in a frame of tissue: outline, epithelium, lumens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._textures import Floats, ramp
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.tissue import Architecture

__all__ = ["Ground", "ground_of"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is where in a frame, 0..1 unless said otherwise."""

    tissue: Floats
    epithelium: Floats
    lumen: Floats | None
    depth: Floats
    """Microns into the epithelium."""
    outline: Floats
    """Microns into the tissue."""
    inside: NDArray[np.bool_]
    """Whether a cell of epithelium owns the pixel."""


def ground_of(frame: Frame, plan: Architecture) -> Ground:
    """What is where in a frame of a planned piece."""
    mottle = frame.tile("mottle")
    outline = frame.fine(frame.coarse(plan.outline)) + mottle * np.float32(0.8)
    tissue = ramp(outline, -0.5, 0.9)
    _clip(frame, plan, tissue)
    depth = frame.fine(frame.coarse(plan.epithelium)) + mottle * np.float32(0.6)
    epithelium = ramp(depth, -0.4, 0.7)
    lumen = None
    hollow = frame.coarse(plan.lumen)
    inside = depth > 0
    if hollow.max() > -4:
        hollow = frame.fine(hollow) + mottle * np.float32(0.5)
        hollow += frame.tile("cloud") * np.float32(0.7)
        inside &= hollow < 0
        epithelium *= ramp(-hollow, -0.7, 0.5)
        lumen = ramp(hollow, -0.3, 0.8)
        lumen *= tissue
    epithelium *= tissue
    inside &= tissue > 0.3
    return Ground(tissue, epithelium, lumen, depth, outline, inside)


def _clip(frame: Frame, plan: Architecture, tissue: Floats) -> None:
    """Nothing lies beyond the rectangle the piece was planned on."""
    place, mpp = plan.place, frame.mpp
    tissue[:, : max(0, int(np.ceil(-frame.x / mpp)))] = 0
    tissue[: max(0, int(np.ceil(-frame.y / mpp)))] = 0
    tissue[:, max(0, int((place.width - frame.x) / mpp)) :] = 0
    tissue[max(0, int((place.height - frame.y) / mpp)) :] = 0
