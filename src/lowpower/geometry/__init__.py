"""Areas that somebody drew, and areas found: masks, polygons and GeoJSON, read and written in one place."""

from lowpower.geometry._areas import Area, read_areas
from lowpower.geometry._geojson import area_features, id_of_text, mask_features, write_geojson
from lowpower.geometry._masks import DrawnMask, MaskMeaning, check_mask, read_mask
from lowpower.geometry._outlines import fill, outlines
from lowpower.geometry._regions import UNCLASSIFIED, Regions, read_regions

__all__ = [
    "UNCLASSIFIED",
    "Area",
    "DrawnMask",
    "MaskMeaning",
    "Regions",
    "area_features",
    "check_mask",
    "fill",
    "id_of_text",
    "mask_features",
    "outlines",
    "read_areas",
    "read_mask",
    "read_regions",
    "write_geojson",
]
