"""Writing GeoJSON that QuPath opens: valid polygons in base pixels, each with an id and a class."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lowpower.files import atomic_path
from lowpower.geometry._outlines import outlines

__all__ = ["area_features", "feature_id", "id_of_text", "mask_features", "write_geojson"]

_DECIMALS: Final = 1
_IDS: Final = uuid.UUID("6c6f7770-6f77-4572-8000-726567696f6e")


def area_features(
    areas: Iterable[BaseGeometry], name: str, colour: tuple[int, int, int]
) -> list[dict[str, Any]]:
    """Locked QuPath annotations of one class, one a polygon, to a tenth of a base pixel.

    Args:
        areas: Polygons and multi-polygons, base pixels.
        name: Their class.
        colour: Its RGB.
    """
    features = []
    # On a grid of a tenth a polygon stays valid; what is smaller than that goes.
    rounded = shapely.set_precision(np.array(list(areas), object), 10.0**-_DECIMALS)
    for polygon in shapely.get_parts(rounded):
        if polygon.is_empty:
            continue
        rings = [polygon.exterior, *polygon.interiors]
        geometry = {
            "type": "Polygon",
            "coordinates": [np.round(shapely.get_coordinates(ring), _DECIMALS).tolist() for ring in rings],
        }
        properties = {
            "objectType": "annotation",
            "classification": {"name": name, "color": list(colour)},
            "isLocked": True,
        }
        features.append(
            {
                "type": "Feature",
                "id": feature_id(name, geometry),
                "geometry": geometry,
                "properties": properties,
            }
        )
    return features


def mask_features(
    mask: NDArray[np.bool_], size: tuple[int, int], name: str, colour: tuple[int, int, int]
) -> list[dict[str, Any]]:
    """The pieces of a mask (h, w) over a slide of `size` base pixels, as `area_features` of one class."""
    scale = (size[0] / mask.shape[1], size[1] / mask.shape[0])
    return area_features(outlines(mask, scale), name, colour)


def feature_id(*about: object) -> str:
    """A UUID, as QuPath asks of an id, that is the same whenever the same is written."""
    return id_of_text(json.dumps(about))


def id_of_text(text: str) -> str:
    """`feature_id` of what `json.dumps` would write as `text`: where there are many to write."""
    return str(uuid.uuid5(_IDS, text))


def write_geojson(path: str | Path, features: Iterable[dict[str, Any] | str]) -> None:
    """Write features as one GeoJSON FeatureCollection, one a line, none kept in memory.

    Args:
        path: Target; written atomically.
        features: Each one, or the JSON of it.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        for number, feature in enumerate(features):
            text = feature if isinstance(feature, str) else json.dumps(feature, separators=(",", ":"))
            stream.write((",\n" if number else "\n") + text)
        stream.write("\n]}\n")
