"""Microns per pixel in TIFF tags, OME-XML and the descriptions of Aperio, ImageJ and libvips."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lowpower.slides._mpp import number, plausible
from lowpower.slides._reader import MppClaim

__all__ = ["MppSources"]

_APERIO_KEY = "aperio.MPP"
_OME_KEY = "ome.PhysicalSizeX"
_RESOLUTION_KEY = "tiff.ResolutionUnit"
_IMAGEJ_KEY = "imagej.unit"

_MICRONS = {"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3}
_MICRONS |= {"pm": 1e-6, "Å": 1e-4, "in": 25_400.0, "inch": 25_400.0}
_IMAGEJ_MICRONS = _MICRONS | {"micron": 1.0, "microns": 1.0, "\\u00B5m": 1.0}
_TAG_MICRONS = {2: 25_400.0, 3: 10_000.0}
_TAG_UNITS = {1: "no unit", 2: "inch", 3: "cm"}
_DEFAULT_DPI = (72, 96, 100, 150, 200, 300, 400, 600, 1200, 2400, 4800)
_IMAGEJ_UNIT = re.compile(r"^unit=(\S+)\s*$", re.MULTILINE)
_DESCRIBED = {
    "description.openslide.mpp-x": re.compile(r"openslide\.mpp-x</name>\s*<value[^>]*>([^<]+)<"),
    "description.MPP": re.compile(r"\bmpp(?:[_ -]?x)?\"?\s*[=:]\s*\"?([^|\s\";]+)", re.IGNORECASE),
}


@dataclass
class MppSources:
    """What a file says of its microns per pixel, gathered key by key, the most trusted first.

    Attributes:
        claims: Values that are lengths.
        tried: Keys looked at.
        unusable: What stands under a key that gives no length.
    """

    claims: list[MppClaim] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    unusable: list[tuple[str, str]] = field(default_factory=list)

    def aperio(self, properties: Mapping[str, str]) -> None:
        """Aperio's `MPP = 0.2500`, with a decimal comma where the scanner's computer wrote one."""
        self._text(_APERIO_KEY, properties.get("MPP"))

    def ome(self, pixels: Mapping[str, str]) -> None:
        """PhysicalSizeX and Y of one Image; an unknown unit ("pixel", "reference frame") is no length."""
        self.tried.append(_OME_KEY)
        sizes = []
        for axis in "XY":
            text, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
            value, factor = number(text), _MICRONS.get(unit)
            if text is not None and (value is None or factor is None):
                self.unusable.append((f"ome.PhysicalSize{axis}", f"{text} {unit}"))
            sizes.append(math.nan if value is None or factor is None else value * factor)
        if not all(math.isnan(size) for size in sizes):
            x, y = (sizes[1 - i] if math.isnan(size) else size for i, size in enumerate(sizes))
            self.claims.append(MppClaim(_OME_KEY, x, y))

    def resolution(self, page: Any, description: str) -> None:
        """The resolution tags, of any numeric type, unless they are a printing default or no length."""
        self.tried.append(_RESOLUTION_KEY)
        x, y = (_pixels_per_unit(page.tags.valueof(name)) for name in ("XResolution", "YResolution"))
        x, y = (y if x is None else x), (x if y is None else y)
        if x is None or y is None:
            return
        imagej = _IMAGEJ_UNIT.search(description) if description.startswith("ImageJ=") else None
        if imagej and imagej.group(1) in _IMAGEJ_MICRONS:
            unit = _IMAGEJ_MICRONS[imagej.group(1)]
            if plausible(unit / x):
                self.claims.append(MppClaim(_IMAGEJ_KEY, unit / x, unit / y))
                return
        code = int(page.tags.valueof("ResolutionUnit", 2))
        said = f"{x:g} per {_TAG_UNITS.get(code, f'unit {code}')}"
        if code not in _TAG_MICRONS:
            if x != 1:  # what writers put where they know nothing
                self.unusable.append((_RESOLUTION_KEY, said))
            return
        mpp_x, mpp_y = _TAG_MICRONS[code] / x, _TAG_MICRONS[code] / y
        dpi = 25_400.0 / mpp_x
        printing = any(abs(dpi - default) < 0.01 * default for default in _DEFAULT_DPI)
        # Nobody prints in fractions of a centimetre by default: an odd value there was meant, so it is
        # checked. One pixel a unit is what writers put where they know nothing.
        if not printing and (plausible(mpp_x) or (code == 3 and mpp_x < 1000)):
            self.claims.append(MppClaim(_RESOLUTION_KEY, mpp_x, mpp_y))
        elif x != 1:
            self.unusable.append((_RESOLUTION_KEY, f"{said}, as for printing" if printing else said))

    def described(self, description: str) -> None:
        """What other software copied into the description: libvips' XML, `MPP = 0.25`."""
        for key, pattern in _DESCRIBED.items():
            found = pattern.search(description)
            if found:
                self._text(key, found.group(1))

    def _text(self, key: str, text: str | None) -> None:
        self.tried.append(key)
        value = number(text)
        if value is not None:
            self.claims.append(MppClaim(key, value, value))
        elif text:
            self.unusable.append((key, text))


def _pixels_per_unit(value: Any) -> float | None:
    """A resolution tag as a number, whether it is stored as a rational, a float, a double or an integer."""
    if isinstance(value, tuple):
        value = value[0] / value[1] if len(value) == 2 and value[1] else 0
    try:
        number_ = float(value)
    except (TypeError, ValueError):
        return None
    return number_ if math.isfinite(number_) and number_ > 0 else None
