"""Nuclei and membranes found in a field, and the cells counted from them."""

from lowpower.stain.cells._cell_identity import cell_network_identity
from lowpower.stain.cells._cell_maps import FADE_OD, GRID, STRIDE, network_input
from lowpower.stain.cells._counted_cells import STROMAL, TUMOUR, Cells, kinds_of
from lowpower.stain.cells._measure_field import (
    FieldCells,
    Marker,
    StainScale,
    blob_contrasts,
    join_fields,
    measure_field,
    stain_maps,
    usual_contrast,
)
from lowpower.stain.cells._measure_stream import (
    COARSEST_MPP,
    HALO_UM,
    SHORT_HALO_UM,
    Field,
    FieldReader,
    Progress,
    cells_of,
    in_mask,
    in_reading_order,
    sample_fields,
    scale_of,
    working_factor,
)
from lowpower.stain.cells._nuclei_colour import with_nuclear_hematoxylin
from lowpower.stain.cells._nuclei_rays import Floats
from lowpower.stain.cells._rendering import FEATURES, rendering_features
from lowpower.stain.cells._tumour_likeness import context_of

__all__ = [
    "COARSEST_MPP",
    "FADE_OD",
    "FEATURES",
    "GRID",
    "HALO_UM",
    "SHORT_HALO_UM",
    "STRIDE",
    "STROMAL",
    "TUMOUR",
    "Cells",
    "Field",
    "FieldCells",
    "FieldReader",
    "Floats",
    "Marker",
    "Progress",
    "StainScale",
    "blob_contrasts",
    "cell_network_identity",
    "cells_of",
    "context_of",
    "in_mask",
    "in_reading_order",
    "join_fields",
    "kinds_of",
    "measure_field",
    "network_input",
    "rendering_features",
    "sample_fields",
    "scale_of",
    "stain_maps",
    "usual_contrast",
    "with_nuclear_hematoxylin",
    "working_factor",
]
