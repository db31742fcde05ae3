"""Pictures of a result: the slide, its cells, and what a network saw where."""

from lowpower.scoring.pictures._cells_picture import draw_cells
from lowpower.scoring.pictures._maps import cell_map, joined_map, patch_map
from lowpower.scoring.pictures._overlay import Explanation, draw_overlay, network_annotations

__all__ = [
    "Explanation",
    "cell_map",
    "draw_cells",
    "draw_overlay",
    "joined_map",
    "network_annotations",
    "patch_map",
]
