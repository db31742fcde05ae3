"""What a frame of simulated tissue holds before optics: amounts of stain, and what lies where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowpower.simulate._textures import Floats

__all__ = ["Layers", "Stains"]


@dataclass(frozen=True, slots=True)
class Stains:
    """Optical densities (length of the OD vector), each (height, width)."""

    hematoxylin: Floats
    dab: Floats
    grey: Floats

    @classmethod
    def none(cls, width: int, height: int) -> Stains:
        """No stain at all."""
        return cls(*(np.zeros((height, width), np.float32) for _ in range(3)))

    def add(self, other: Stains) -> None:
        """Lay other tissue on top, in place."""
        np.add(self.hematoxylin, other.hematoxylin, out=self.hematoxylin)
        np.add(self.dab, other.dab, out=self.dab)
        np.add(self.grey, other.grey, out=self.grey)


@dataclass(frozen=True, slots=True)
class Layers:
    """What lies where before optics, each (height, width): the truth that pixels alone do not tell.

    Attributes:
        nuclei: Relative haematoxylin of nuclei, 0 outside them.
        membrane: OD of the DAB on membranes.
    """

    nuclei: Floats
    membrane: Floats

    @classmethod
    def none(cls, width: int, height: int) -> Layers:
        """Neither."""
        return cls(np.zeros((height, width), np.float32), np.zeros((height, width), np.float32))
