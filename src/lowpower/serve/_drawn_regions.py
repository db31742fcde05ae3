"""Regions that a reader draws on the page: GeoJSON that QuPath and `score --regions` read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lowpower.files import output_errors, write_json
from lowpower.geometry import area_features, read_areas

__all__ = ["RegionsBook", "tidy_regions"]

_COLOURS: Final = {"tumor": (200, 0, 0), "tumour": (200, 0, 0)}
_OTHER: Final = (120, 120, 120)
_UNCLASSIFIED: Final = "Unclassified"


class RegionsBook:
    """The folder `regions` beside results, with one GeoJSON a slide; `score --regions` takes it as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "regions"

    def path(self, key: str) -> Path:
        """Where a slide's regions are kept."""
        return self._folder / f"{key}.geojson"

    def read(self, key: str) -> dict[str, Any]:
        """A slide's regions as a FeatureCollection, empty where none were drawn.

        Raises:
            RegionsError: somebody put a file there that is no GeoJSON.
        """
        path = self.path(key)
        return _collection(_features(path)) if path.is_file() else _collection([])

    def write(self, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep these regions instead of those that were there: valid polygons, each with an id and a class.

        Raises:
            RegionsError: it is no GeoJSON of areas.
            OutputError: it cannot be written.
        """
        told = tidy_regions(given)
        if told["features"]:
            write_json(self.path(key), told)
        else:
            with output_errors(self.path(key)):
                self.path(key).unlink(missing_ok=True)
        return told


def tidy_regions(given: Mapping[str, Any]) -> dict[str, Any]:
    """Regions as they are kept: a FeatureCollection of valid polygons, each with an id and a class.

    Raises:
        RegionsError: it is no GeoJSON of areas.
    """
    return _collection(_features(given))


def _features(given: Path | Mapping[str, Any]) -> list[dict[str, Any]]:
    features = []
    for area in read_areas(given):
        name = area.name or _UNCLASSIFIED
        features += area_features([area.shape], name, _COLOURS.get(name.casefold(), _OTHER))
    return features


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}
