"""Tumour regions as the user drew them: GeoJSON polygons in base pixels, as QuPath writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import ConfigError

__all__ = ["inside_regions", "read_regions"]

_ACCEPTED = "a FeatureCollection, Feature, Polygon or MultiPolygon in base pixels, as QuPath exports them"


def read_regions(regions: str | Path | Mapping[str, Any]) -> list[list[NDArray[np.float64]]]:
    """The polygons of a GeoJSON file or mapping, each as its rings (N, 2): the outline, then the holes.

    Raises:
        ConfigError: if it cannot be read, is no GeoJSON, or holds no polygon.
    """
    name, value = "regions", regions
    if isinstance(regions, str | Path):
        name = str(regions)
        try:
            value = json.loads(Path(regions).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{name}: cannot be read ({error.strerror}); give a GeoJSON file.") from error
        except ValueError as error:
            raise ConfigError(f"{name}: is not GeoJSON ({error}); give {_ACCEPTED}.") from error
    try:
        polygons = _polygons(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name}: is not valid GeoJSON ({error}); give {_ACCEPTED}.") from error
    if not polygons:
        raise ConfigError(f"{name}: holds no polygon; give {_ACCEPTED}.")
    return polygons


def _polygons(value: Any) -> list[list[NDArray[np.float64]]]:
    if isinstance(value, list):
        return [polygon for part in value for polygon in _polygons(part)]
    kind = value["type"]
    if kind == "FeatureCollection":
        return _polygons(value["features"])
    if kind == "Feature":
        return _polygons(value["geometry"])
    if kind == "GeometryCollection":
        return _polygons(value["geometries"])
    if kind == "Polygon":
        return [[_ring(ring) for ring in value["coordinates"]]]
    if kind == "MultiPolygon":
        return [[_ring(ring) for ring in polygon] for polygon in value["coordinates"]]
    return []


def _ring(points: Any) -> NDArray[np.float64]:
    ring = np.array([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or ring.shape[0] < 3 or not np.isfinite(ring).all():
        raise ValueError("a ring needs three points or more")
    return ring


def inside_regions(
    polygons: list[list[NDArray[np.float64]]], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points (N,), base pixels, lie in any polygon and in none of its holes."""
    inside = np.zeros(len(x), bool)
    for outline, *holes in polygons:
        low, high = outline.min(axis=0), outline.max(axis=0)
        near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]) & ~inside)
        contours = [ring.astype(np.float32).reshape(-1, 1, 2) for ring in (outline, *holes)]
        for index in near.tolist():
            point = (float(x[index]), float(y[index]))
            within = cv2.pointPolygonTest(contours[0], point, False) >= 0
            inside[index] = within and not any(
                cv2.pointPolygonTest(hole, point, False) > 0 for hole in contours[1:]
            )
    return inside
