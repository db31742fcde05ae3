"""Reading GeoJSON: every area in it with its class, as valid polygons in base pixels."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lowpower.errors import RegionsError

__all__ = ["Area", "is_geojson", "read_areas", "read_bytes"]

_GZIP: Final = b"\x1f\x8b"
_BEFORE: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
"""Byte order marks, the zeros of UTF-16 and white space."""
_NO_AREAS: Final = ("Point", "MultiPoint", "LineString", "MultiLineString")
_ACCEPTED: Final = "a FeatureCollection, Feature, Polygon or MultiPolygon in base pixels, as of QuPath"


@dataclass(frozen=True, eq=False)
class Area:
    """One area as it was drawn.

    Attributes:
        name: Its class; None where it has none.
        shape: Its polygons, valid, base pixels.
        called: What it is called beside its class: in QuPath any text, elsewhere perhaps the class.
    """

    name: str | None
    shape: BaseGeometry
    called: str | None = None


def read_bytes(path: Path) -> bytes:
    """A file's content, unpacked if it is gzip.

    Raises:
        RegionsError: if it is missing or cut short.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP) else data
    except FileNotFoundError as error:
        problem = "no such file; give GeoJSON of areas, or for a mask an image over the whole slide."
        raise RegionsError(path, problem) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RegionsError(path, f"is gzip, but cut short or corrupt ({error}); copy it again.") from error
    except OSError as error:
        raise RegionsError(path, f"cannot be read ({error.strerror}).") from error


def is_geojson(path: Path, data: bytes) -> bool:
    """Whether a file is meant as GeoJSON, by what it begins with, else by its name."""
    return data[:64].lstrip(_BEFORE)[:1] in (b"{", b"[") or ".geojson" in path.name or ".json" in path.name


def read_areas(given: Path | Mapping[str, Any], data: bytes | None = None) -> list[Area]:
    """The areas of a GeoJSON file or mapping; what is no area (points, lines, nothing) is passed over.

    Args:
        given: A file, or GeoJSON as it was parsed.
        data: The file's content, if it was read already.

    Raises:
        RegionsError: if it cannot be read or is no GeoJSON.
    """
    name = given if isinstance(given, Path) else Path("regions")
    told: Any = given
    if isinstance(given, Path):
        try:
            told = json.loads(read_bytes(given) if data is None else data)
        except (ValueError, RecursionError) as error:
            raise RegionsError(name, f"is no GeoJSON ({error}); give {_ACCEPTED}.") from error
    areas = []
    for number, feature in enumerate(_features(told, name), start=1):
        try:
            shape = _shape(feature.get("geometry"))
            kind = _class_of(feature.get("properties"))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            problem = f"its feature {number} is no valid GeoJSON ({_said(error)}); give {_ACCEPTED}."
            raise RegionsError(name, problem) from error
        if not shape.is_empty:
            areas.append(Area(kind, shape, _called(feature.get("properties"))))
    return areas


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error}"
    # Python's own words for what it cannot take apart say nothing to whoever drew the area.
    told = isinstance(error, ValueError) or str(error).startswith("its ")
    return str(error) if told else "it is not made of lists of points"


def _features(told: Any, name: Path) -> Iterator[Mapping[str, Any]]:
    """The features of whatever may be at the top of a file; a bare geometry is one without a class."""
    kind = told.get("type") if isinstance(told, Mapping) else None
    if isinstance(told, list):
        for part in told:
            if part is not None:
                yield from _features(part, name)
    elif kind == "FeatureCollection" and isinstance(told.get("features"), list):
        yield from _features(told["features"], name)
    elif kind == "Feature":
        yield told
    elif kind in ("Polygon", "MultiPolygon", "GeometryCollection", *_NO_AREAS):
        yield {"geometry": told}
    else:
        kinds = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false"}
        seen = kinds.get(type(told).__name__, "nothing")
        if isinstance(told, Mapping):
            seen = f"something of type {kind!r}" if kind else "something without a type"
        raise RegionsError(name, f"is no GeoJSON (holds {seen} where areas are meant); give {_ACCEPTED}.")


def _class_of(properties: Any) -> str | None:
    """The class that QuPath or another program gave: a text, or an object with name or names."""
    said = (properties or {}).get("classification")
    if isinstance(said, Mapping):
        said = said.get("name") or ": ".join(said.get("names") or ())
    if said is not None and not isinstance(said, str):
        raise TypeError(f"its classification is {said!r}")
    return (said or "").strip() or None


def _called(properties: Any) -> str | None:
    said = [(properties or {}).get(key) for key in ("label", "class", "category", "name")]
    return next((text.strip() for text in said if isinstance(text, str) and text.strip()), None)


def _shape(geometry: Any) -> BaseGeometry:
    """The valid polygons of a geometry, empty where it is none or no area."""
    if geometry is None or geometry == {} or geometry.get("coordinates", 0) is None:
        return shapely.Polygon()
    kind = geometry["type"]
    if kind == "GeometryCollection":
        return shapely.union_all([_shape(part) for part in geometry["geometries"]])
    if kind in _NO_AREAS:
        return shapely.Polygon()
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"geometry of type {kind!r}")
    drawn = geometry["coordinates"]
    polygons = [_polygon(part) for part in ([drawn] if kind == "Polygon" else drawn)]
    return shapely.union_all([polygon for polygon in polygons if not polygon.is_empty])


def _polygon(rings: Any) -> BaseGeometry:
    """A polygon of rings; where they cross, the areas they go around."""
    if len(rings) == 0 or len(rings[0]) == 0:
        return shapely.Polygon()
    outline, *holes = (_ring(ring) for ring in rings if len(ring))
    # "structure" keeps what a line that crosses itself goes around; lines and points that are left go.
    made = shapely.make_valid(shapely.Polygon(outline, holes), method="structure", keep_collapsed=False)
    return shapely.union_all([part for part in shapely.get_parts(made) if part.geom_type == "Polygon"])


def _ring(points: Any) -> NDArray[np.float64]:
    ring = np.array([[float(x), float(y)] for x, y, *_ in points])
    if len(ring) < 3:
        raise ValueError("a ring of fewer than three points")
    if not all(map(math.isfinite, ring.ravel().tolist())):
        raise ValueError("a point that is no number")
    return ring
