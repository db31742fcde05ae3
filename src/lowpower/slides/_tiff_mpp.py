"""Microns per pixel in TIFF tags, OME-XML and ImageJ's description."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

from lowpower.slides._mpp import plausible
from lowpower.slides._reader import MppClaim

__all__ = ["OME_KEY", "RESOLUTION_KEY", "ome_claim", "resolution_claims"]

OME_KEY = "ome.PhysicalSizeX"
RESOLUTION_KEY = "tiff.ResolutionUnit"

_OME_MICRONS = {"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3}
_OME_MICRONS |= {"pm": 1e-6, "Å": 1e-4, "in": 25_400.0, "inch": 25_400.0}
_TAG_MICRONS = {2: 25_400.0, 3: 10_000.0}
_DEFAULT_DPI = (72, 96, 100, 150, 200, 300, 400, 600, 1200, 2400, 4800)
_IMAGEJ_UNIT = re.compile(r"^unit=(micron|microns|um|µm|\\u00B5m)\s*$", re.MULTILINE)


def ome_claim(description: str) -> list[MppClaim]:
    """What OME-XML says of the first image; an unknown unit ("pixel", "reference frame") says nothing."""
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return []
    pixels = next((node for node in root.iter() if node.tag.rsplit("}", 1)[-1] == "Pixels"), None)
    if pixels is None:
        return []
    sizes = []
    for axis in "XY":
        factor = _OME_MICRONS.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        text = pixels.get(f"PhysicalSize{axis}")
        try:
            sizes.append(float(text) * factor if text is not None and factor is not None else math.nan)
        except ValueError:
            sizes.append(math.nan)
    if all(math.isnan(size) for size in sizes):
        return []
    x, y = (sizes[0] if math.isnan(size) else size for size in (sizes[0], sizes[1]))
    return [MppClaim(OME_KEY, y if math.isnan(x) else x, y)]


def resolution_claims(page: Any, description: str) -> list[MppClaim]:
    """What the resolution tags say, unless they are a printing default or no length at all."""
    across, down = (page.tags.valueof(name) for name in ("XResolution", "YResolution"))
    if not (_positive(across) and _positive(down)):
        return []
    x, y = across[0] / across[1], down[0] / down[1]
    if description.startswith("ImageJ=") and _IMAGEJ_UNIT.search(description):
        return [MppClaim("imagej.unit", 1 / x, 1 / y)] if plausible(1 / x) else []
    unit = _TAG_MICRONS.get(int(page.tags.valueof("ResolutionUnit", 2)))
    if unit is None:
        return []
    mpp_x, mpp_y = unit / x, unit / y
    dpi = 25_400.0 / mpp_x
    if any(abs(dpi - default) < 0.01 * default for default in _DEFAULT_DPI):
        return []
    # Nobody prints in fractions of a centimetre by default: an odd value there was meant, so it is checked.
    meant = plausible(mpp_x) or (unit == _TAG_MICRONS[3] and mpp_x < 1000)
    return [MppClaim(RESOLUTION_KEY, mpp_x, mpp_y)] if meant else []


def _positive(rational: Any) -> bool:
    return isinstance(rational, tuple) and len(rational) == 2 and rational[0] > 0 and rational[1] > 0
