"""The tissue of a piece: outline, architecture, nuclei, and where each cell lies."""

from lowpower.simulate.tissue._architecture import Architecture, build_architecture, clear_empty
from lowpower.simulate.tissue._cell_places import EPITHELIAL, Cells, place_cells, sample
from lowpower.simulate.tissue._layout import PLAN_UM, glass_size_um, lay_out
from lowpower.simulate.tissue._nuclei_library import KINDS, NucleusLibrary, nucleus_library

__all__ = [
    "EPITHELIAL",
    "KINDS",
    "PLAN_UM",
    "Architecture",
    "Cells",
    "NucleusLibrary",
    "build_architecture",
    "clear_empty",
    "glass_size_um",
    "lay_out",
    "nucleus_library",
    "place_cells",
    "sample",
]
