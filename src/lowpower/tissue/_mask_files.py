"""Tissue masks from and for other software: images, and QuPath's GeoJSON in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError
from lowpower.files import write_bytes, write_text
from lowpower.tissue._outlines import Polygon, fill_polygons, outlines

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["read_tissue_mask", "write_tissue_geojson", "write_tissue_png"]

_RASTER_PIXELS = 16_000_000
_COLOUR = [124, 94, 60]


def read_tissue_mask(path: str | Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A tissue mask drawn elsewhere, as `find_tissue(slide, mask=...)` takes it.

    Args:
        path: An image over the whole slide (non-zero is tissue), or a GeoJSON file with areas in base pixels
            as QuPath exports it. Areas of a class whose name ends with `*` (QuPath's way to say "ignore") are
            cut out again.
        size: (width, height) of the slide, base pixels.

    Returns:
        (h, w) bool over the whole slide, at a scale of at most 16 million pixels.

    Raises:
        DamagedSlideError: if the file is missing, unreadable, or holds no area.
    """
    path = Path(path)
    if not path.is_file():
        raise DamagedSlideError(path, "no such mask; give a PNG over the whole slide or a QuPath GeoJSON.")
    if path.suffix.lower() in (".geojson", ".json"):
        return _read_geojson(path, size)
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DamagedSlideError(path, "is neither an image nor GeoJSON; a mask is a PNG, non-zero is tissue.")
    ratio = image.shape[1] / image.shape[0] / (size[0] / size[1])
    if not 0.95 < ratio < 1.05:
        raise DamagedSlideError(
            path,
            f"is {image.shape[1]} x {image.shape[0]} px, the slide {size[0]} x {size[1]}: a mask must "
            "cover the whole slide.",
        )
    return np.asarray(image > 0)


def write_tissue_geojson(path: str | Path, mask: NDArray[np.bool_], slide: Slide) -> None:
    """Write a mask over the whole slide as QuPath annotations of class Tissue, one a piece, in base pixels.

    Raises:
        OutputError: if it cannot be written.
    """
    across, down = slide.size[0] / mask.shape[1], slide.size[1] / mask.shape[0]
    scale = np.array([across, down])
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [np.round(ring * scale, 2).tolist() for ring in polygon],
            },
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "Tissue", "color": _COLOUR},
                "isLocked": True,
            },
        }
        for polygon in outlines(mask)
    ]
    write_text(path, json.dumps({"type": "FeatureCollection", "features": features}) + "\n")


def write_tissue_png(path: str | Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask as a PNG, 255 where tissue is.

    Raises:
        OutputError: if it cannot be written.
    """
    write_bytes(path, cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes())


def _read_geojson(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    try:
        told: Any = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise DamagedSlideError(path, f"is no GeoJSON ({error}); export it again.") from error
    drawn: list[Polygon] = []
    ignored: list[Polygon] = []
    try:
        for feature in _features(told):
            polygons = _polygons(feature.get("geometry") or feature)
            name = str(((feature.get("properties") or {}).get("classification") or {}).get("name", ""))
            (ignored if name.endswith("*") else drawn).extend(polygons)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise DamagedSlideError(path, f"is no GeoJSON of areas ({error}); export it again.") from error
    if not drawn:
        raise DamagedSlideError(
            path, "holds no area (Polygon or MultiPolygon); draw the tissue and export it again."
        )
    scale = min(1.0, (_RASTER_PIXELS / (size[0] * size[1])) ** 0.5)
    shape = (max(1, round(size[1] * scale)), max(1, round(size[0] * scale)))
    factor = np.array([shape[1] / size[0], shape[0] / size[1]])
    mask = fill_polygons([[ring * factor for ring in polygon] for polygon in drawn], shape)
    if ignored:
        mask &= ~fill_polygons([[ring * factor for ring in polygon] for polygon in ignored], shape)
    return mask


def _features(told: Any) -> list[dict[str, Any]]:
    if isinstance(told, list):
        return told
    return list(told["features"]) if told.get("type") == "FeatureCollection" else [told]


def _polygons(geometry: dict[str, Any]) -> list[Polygon]:
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        return [polygon for part in geometry["geometries"] for polygon in _polygons(part)]
    if kind not in ("Polygon", "MultiPolygon"):
        return []
    coordinates = geometry["coordinates"]
    parts = [coordinates] if kind == "Polygon" else coordinates
    return [[_ring(ring) for ring in part] for part in parts]


def _ring(points: Any) -> NDArray[np.float64]:
    ring = np.array([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError("a ring of fewer than three points")
    return ring
