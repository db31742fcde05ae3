"""What goes wrong on glass and in the scanner: pen, folds, bubbles, dust, out-of-focus areas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._images import Floats, blurred, placed, signed_distance
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._stains import Stains
from lowpower.simulate._textures import ramp, smooth_field, tile

__all__ = ["Artefacts", "Flaws"]

_MAP_UM = 8.0
_INKS = ((0.9, 0.6, 0.12), (0.6, 0.6, 0.55), (0.75, 0.3, 0.7), (0.15, 0.75, 0.65))
"""OD of blue, black, green and red pens."""


@dataclass(frozen=True, slots=True)
class Flaws:
    """What a block's stain does not tell, each (height, width) or None where there is none.

    Attributes:
        defocus: Share of defocus.
        ink: Amount of pen.
        ink_colour: Its OD.
    """

    defocus: Floats | None
    ink: Floats | None
    ink_colour: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Speck:
    """A grain of dust (radius in pixels): dark and sharp, or a pale ring when far out of focus."""

    x: int
    y: int
    stamp: Floats
    brown: bool


def _pen(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """One to three strokes of ink."""
    ink = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        start = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        turn = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, 60))
        step = rng.uniform(40, 160) / _MAP_UM
        path = start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * step
        cv2.polylines(ink, [np.rint(path).astype(np.int32)], False, 255, int(rng.uniform(120, 500) / _MAP_UM))
    uneven = 0.85 + 0.3 * smooth_field(rng, shape, 300 / _MAP_UM, 2)
    soft = blurred(ink.astype(np.float32), 1.2) / 255
    return np.clip(soft * uneven, 0, 1.3).astype(np.float32)


def _fold(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Layers too many: narrow bands where tissue lies double, or threefold where it went over and back.

    A band runs out to a point at its ends.
    """
    line = np.abs(smooth_field(rng, shape, rng.uniform(500, 1500) / _MAP_UM, 2))
    gradient = np.hypot(*np.gradient(line)) + 1e-4
    widest = np.float32(rng.uniform(10, 35) / _MAP_UM)
    width = widest * ramp(smooth_field(rng, shape, 600 / _MAP_UM), 0.1, 0.6)
    layers = np.float32(rng.spawn(1)[0].uniform(1.0, 2.0))
    return layers * ramp((width - line / gradient).astype(np.float32), 0.0, 0.6)


def _specks(rng: np.random.Generator, size: tuple[int, int], mpp: float, many: bool) -> list[_Speck]:
    area = size[0] * size[1] * (mpp / 1000) ** 2
    dark = rng.poisson(area * rng.uniform(3, 15)) if many else rng.poisson(1.0)
    pale = rng.poisson(min(area * rng.uniform(0.5, 3.0), 60) if many else 2.0)
    specks = []
    for number in range(min(dark + pale, 600)):
        sharp = number < dark
        radius = (np.exp(rng.uniform(np.log(0.8), np.log(6))) if sharp else rng.uniform(6, 16)) / mpp
        half = int(radius * 1.6) + 2
        ys, xs = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
        angle = np.arctan2(ys, xs)
        wave = 1 + 0.25 * np.cos(2 * angle + rng.uniform(0, 6)) + 0.15 * np.cos(3 * angle + rng.uniform(0, 6))
        distance = (np.hypot(xs, ys) / (radius * (wave if sharp else 1.0))).astype(np.float32)
        if sharp:
            stamp = ramp(-distance, -1.2, -0.7) * np.float32(rng.uniform(0.4, 1.6))
        else:
            stamp = (
                ramp(-distance, -1.1, -0.9)
                * (0.6 + 0.6 * ramp(distance, 0.6, 1.0))
                * rng.uniform(0.008, 0.03)
            )
        x, y = int(rng.integers(size[0])), int(rng.integers(size[1]))
        specks.append(_Speck(x, y, np.asarray(stamp, np.float32), bool(sharp and rng.random() < 0.25)))
    return specks


class Artefacts:
    """The flaws of one slide, planned at `_MAP_UM` um/px.

    Args:
        spec: The slide.
        size: (width, height) of the slide in pixels.
    """

    def __init__(self, spec: SlideSpec, size: tuple[int, int]) -> None:
        rng = np.random.default_rng([spec.seed, 4])
        self._mpp = spec.scanner.mpp
        shape = (int(size[1] * self._mpp / _MAP_UM) + 2, int(size[0] * self._mpp / _MAP_UM) + 2)
        asked = set(spec.artefacts)
        self._ink = _pen(rng, shape) if "pen" in asked else None
        self._ink_colour = _INKS[int(rng.integers(len(_INKS)))]
        self._fold = _fold(rng, shape) if "fold" in asked else None
        self._defocus: Floats | None = None
        if "blur" in asked:
            away = smooth_field(rng, shape, min(shape) * rng.uniform(0.3, 1.0), 2)
            self._defocus = ramp(away - rng.uniform(0.0, 1.2), 0.0, 0.8)
        self._bubbles: Floats | None = None
        if "bubble" in asked:
            self._bubbles = self._blow(rng, shape)
        own = np.random.default_rng([spec.seed, 12])
        self._raised = np.float32(own.uniform(0.0, 0.7))
        self._rim = np.float32(np.exp(own.uniform(np.log(0.15), np.log(0.7))))
        self._specks = _specks(rng, size, self._mpp, "dust" in asked)

    def _blow(self, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        """Distance in microns into the nearest bubble, below 0 outside."""
        mask = np.zeros(shape, np.uint8)
        for _ in range(int(rng.integers(1, 7))):
            centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
            radius = 30.0 * (700.0 / 30.0) ** rng.uniform(0, 1)
            cv2.circle(mask, centre, int(radius / _MAP_UM), 1, -1)
        return signed_distance(mask > 0, 200 / _MAP_UM) * np.float32(_MAP_UM)

    def _at(self, field: Floats, left: int, top: int, width: int, height: int) -> Floats:
        scale = self._mpp / _MAP_UM
        matrix = np.array([[scale, 0, (left + 0.5) * scale - 0.5], [0, scale, (top + 0.5) * scale - 0.5]])
        return placed(field, matrix, (width, height))

    def _window(self, field: Floats, left: int, top: int, width: int, height: int) -> NDArray[np.float32]:
        scale = self._mpp / _MAP_UM
        y0, x0 = max(int(top * scale) - 1, 0), max(int(left * scale) - 1, 0)
        return field[y0 : int((top + height) * scale) + 2, x0 : int((left + width) * scale) + 2]

    def _near(self, left: int, top: int, width: int, height: int) -> list[_Speck]:
        return [
            s
            for s in self._specks
            if left - len(s.stamp) < s.x < left + width + len(s.stamp)
            and top - len(s.stamp) < s.y < top + height + len(s.stamp)
        ]

    def touch(self, left: int, top: int, width: int, height: int) -> bool:
        """Whether something lies on bare glass in these slide pixels."""
        box = (left, top, width, height)
        if self._ink is not None and (self._window(self._ink, *box) > 0.01).any():
            return True
        if self._bubbles is not None and (self._window(self._bubbles, *box) > -30).any():
            return True
        return bool(self._near(*box))

    def spoil(self, stains: Stains, left: int, top: int) -> Flaws:
        """Change a block's stain in place and say what else is wrong there.

        Args:
            stains: The block, margin included.
            left: First column of the block (with margin) on the slide.
            top: First row.
        """
        height, width = stains.dab.shape
        box = (left, top, width, height)
        defocus = self._at(self._defocus, *box) if self._defocus is not None else None
        if self._fold is not None and self._window(self._fold, *box).max() > 0:
            share = self._at(self._fold, *box)
            # Other tissue lies there: as far away as the margin allows.
            for plane in (stains.hematoxylin, stains.dab, stains.grey):
                plane += share * np.roll(plane, (11, -9), (0, 1))
            raised = np.minimum(share, np.float32(1)) * self._raised
            defocus = raised if defocus is None else np.maximum(defocus, raised)
        if self._bubbles is not None and self._window(self._bubbles, *box).max() > -30:
            distance = self._at(self._bubbles, *box)
            rim = np.exp(-((distance / 7) ** 2)) + np.exp(-(((distance + 9) / 5) ** 2)) * 0.3
            stains.grey[:] += rim * self._rim
            within = ramp(distance, 0.0, 12.0) * np.float32(0.55)
            defocus = within if defocus is None else np.maximum(defocus, within)
        for speck in self._near(*box):
            self._drop(speck, stains, left, top)
        ink = None
        if self._ink is not None and self._window(self._ink, *box).max() > 0:
            ink = self._at(self._ink, *box) * (1 + np.float32(0.1) * tile("cloud", *box))
        return Flaws(defocus, ink, self._ink_colour)

    @staticmethod
    def _drop(speck: _Speck, stains: Stains, left: int, top: int) -> None:
        height, width = stains.dab.shape
        half = len(speck.stamp) // 2
        x0, y0 = speck.x - left - half, speck.y - top - half
        x1, y1 = x0 + len(speck.stamp), y0 + len(speck.stamp)
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            return
        plane = stains.dab if speck.brown else stains.grey
        part = speck.stamp[max(-y0, 0) : height - y0, max(-x0, 0) : width - x0]
        plane[max(y0, 0) : y1, max(x0, 0) : x1] += part
