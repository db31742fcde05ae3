"""How much stain each pixel of tissue holds."""

from lowpower.simulate.stain._membrane_stain import CONTROL_SHARES, stain_membranes
from lowpower.simulate.stain._nuclear_stain import NUCLEAR_CONTROL, NuclearTruth, nuclear_class, stain_nuclei
from lowpower.simulate.stain._render import Piece
from lowpower.simulate.stain._set_apart import set_apart, stain_beside

__all__ = [
    "CONTROL_SHARES",
    "NUCLEAR_CONTROL",
    "NuclearTruth",
    "Piece",
    "nuclear_class",
    "set_apart",
    "stain_beside",
    "stain_membranes",
    "stain_nuclei",
]
