"""A rectangle of pixels in a piece of tissue, and how the piece's plan is sampled there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._images import enlarged, looked_up, placed
from lowpower.simulate._textures import BANK, BANK_UM, Floats, bank, tile
from lowpower.simulate.tissue import PLAN_UM

__all__ = ["Frame"]

_COARSE_UM = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a slide being rendered.

    Attributes:
        x: Left edge, microns from the piece's corner.
        y: Top edge, microns from the piece's corner.
        width: Pixels.
        height: Pixels.
        mpp: Microns per pixel.
        left: Left edge, pixels of the slide (aligns textures between frames).
        top: Top edge, pixels of the slide.
    """

    x: float
    y: float
    width: int
    height: int
    mpp: float
    left: int
    top: int

    def tile(self, name: str, shift: int = 0) -> Floats:
        """(height, width) of bank `name`, one bank pixel a pixel; do not write to it."""
        return tile(name, self.left, self.top, self.width, self.height, shift)

    @property
    def step(self) -> int:
        """Pixels between samples of plan fields: they are smooth, so about one a micron is enough."""
        return max(1, int(_COARSE_UM / self.mpp))

    def coarse(self, field: NDArray[Any], step: int | None = None) -> Floats:
        """A plan field at every `step`-th pixel (default: `self.step`)."""
        step = step or self.step
        scale = step * self.mpp / PLAN_UM
        x = (self.x + 0.5 * step * self.mpp) / PLAN_UM - 0.5
        y = (self.y + 0.5 * step * self.mpp) / PLAN_UM - 0.5
        rows, columns = -(-self.height // step), -(-self.width // step)
        left = int(np.clip(np.floor(x) - 1, 0, field.shape[1] - 1))
        top = int(np.clip(np.floor(y) - 1, 0, field.shape[0] - 1))
        right = int(np.clip(np.ceil(x + columns * scale) + 2, left + 1, field.shape[1]))
        bottom = int(np.clip(np.ceil(y + rows * scale) + 2, top + 1, field.shape[0]))
        window = field[top:bottom, left:right].astype(np.float32)
        matrix = np.array([[scale, 0, x - left], [0, scale, y - top]])
        return placed(window, matrix, (columns, rows))

    def fine(self, coarse: Floats, step: int | None = None) -> Floats:
        """(height, width) of what `coarse` returned, or of anything made from it."""
        step = step or self.step
        if step == 1:
            return coarse
        return enlarged(coarse, step)[: self.height, : self.width]

    def bent(self, flow: Floats, turn: float, step: int) -> tuple[Floats, Floats]:
        """Coordinates (u, v) in bank pixels at every `step`-th pixel, turned and bent by a flow field."""
        push = self.coarse(flow, step)
        unit = np.float32(step * self.mpp)
        x = np.float32(self.x) + (np.arange(push.shape[1], dtype=np.float32) + np.float32(0.5)) * unit
        y = (
            np.float32(self.y)
            + (np.arange(push.shape[0], dtype=np.float32)[:, None] + np.float32(0.5)) * unit
        )
        cos, sin = np.float32(np.cos(turn) / BANK_UM), np.float32(np.sin(turn) / BANK_UM)
        u = push[..., 0] * np.float32(1 / BANK_UM)
        v = push[..., 1] * np.float32(1 / BANK_UM)
        u += x * cos
        u += y * sin
        v -= x * sin
        v += y * cos
        return u, v

    @staticmethod
    def texture(name: str, maps: tuple[Floats, Floats], zoom: float = 1.0) -> Floats:
        """Bank `name` at bent coordinates, `zoom` times as fine."""
        u, v = (plane * np.float32(zoom) for plane in maps)
        # remap counts in 16 bits, so whole periods are taken off first.
        u -= np.float32(np.floor(float(u.min()) / BANK) * BANK)
        v -= np.float32(np.floor(float(v.min()) / BANK) * BANK)
        return looked_up(bank(name), u, v, wrap=True)
