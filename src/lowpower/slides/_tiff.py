"""How a TIFF is laid out: levels, where each tile lies, metadata. Damage is found before decoding."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError
from lowpower.slides._reader import MppClaim
from lowpower.slides._tiff_chain import CURE, check_directories
from lowpower.slides._tiff_mpp import OME_KEY, RESOLUTION_KEY, ome_claim, resolution_claims

__all__ = ["Segments", "TiffLayout", "read_layout"]

Kind = Literal["aperio", "ome", "generic", "vendor"]
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # silent unless the application logs

_VENDORS = ("is_ndpi", "is_scn", "is_bif", "is_philips", "is_qpi", "is_avs", "is_indica", "is_zif")
_APERIO_FIELD = re.compile(r"\|\s*([^|=]+?)\s*=\s*([^|]*)")


@dataclass(frozen=True)
class Segments:
    """Where one directory's tiles or strips lie.

    Attributes:
        page: tifffile's page, which decodes them.
        width: Image width, pixels.
        height: Image height, pixels.
        tile: (width, height) of a tile; a strip is a tile as wide as the image.
        offsets: Byte offset of each segment.
        counts: Bytes of each segment.
    """

    page: Any
    width: int
    height: int
    tile: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def across(self) -> int:
        """Segments in a row of segments."""
        return -(-self.width // self.tile[0])

    @property
    def sparse(self) -> bool:
        """Whether some segment was never written."""
        return bool((self.counts == 0).any())


@dataclass(frozen=True)
class TiffLayout:
    """A TIFF as its directories describe it.

    Attributes:
        file: The open tifffile object; the owner closes it.
        kind: Which convention its directories follow; "vendor" is any that only slide libraries know.
        levels: The pyramid, finest first.
        associated: Named extra images.
        claims: Microns per pixel found, the most trusted first.
        keys_tried: Metadata keys looked at for them.
        properties: Vendor metadata by name.
        icc: The ICC profile, if any.
    """

    file: Any
    kind: Kind
    levels: tuple[Segments, ...]
    associated: dict[str, Any] = field(default_factory=dict)
    claims: tuple[MppClaim, ...] = ()
    keys_tried: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    icc: bytes | None = None

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of each level."""
        return tuple((level.width, level.height) for level in self.levels)


def read_layout(path: Path) -> TiffLayout:
    """Parse and check a TIFF.

    Raises:
        DamagedSlideError: if a directory, tile or strip lies outside the file, or none can be parsed.
    """
    check_directories(path)
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, OSError) as error:
        raise DamagedSlideError(path, f"its TIFF header cannot be parsed ({error}); {CURE}") from error
    try:
        return _layout(path, file)
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, TypeError) as error:
        file.close()
        raise DamagedSlideError(path, f"its TIFF directories cannot be parsed ({error}); {CURE}") from error
    except DamagedSlideError:
        file.close()
        raise


def _layout(path: Path, file: Any) -> TiffLayout:
    pages = list(file.pages)
    children = {index: list(page.pages) for index, page in enumerate(pages) if page.pages is not None}
    every = [*pages, *(child for family in children.values() for child in family)]
    size = path.stat().st_size
    segments = {id(page): _segments(path, page, size) for page in every if page.imagewidth}
    if not segments:
        raise DamagedSlideError(path, f"holds no image; {CURE}")
    first = pages[0]
    kind = _kind(file)
    properties = {}
    if kind == "aperio":
        properties = {key: value.strip() for key, value in _APERIO_FIELD.findall(first.description)}
    else:
        properties = {name: str(first.tags.valueof(name) or "") for name in ("Make", "Model")}
    base = first if kind == "aperio" else max(pages, key=lambda page: page.imagewidth * page.imagelength)
    candidates = [*children.get(pages.index(base), ()), *pages]
    levels = _pyramid(segments[id(base)], [segments[id(p)] for p in candidates if id(p) in segments], kind)
    chosen = {id(level.page) for level in levels}
    others = [page for page in pages if id(page) not in chosen and id(page) in segments]
    claims, tried = _claims(kind, base, first.description, properties)
    associated = _named(others)
    if kind == "aperio" and len(pages) > 1 and not pages[1].is_tiled:
        associated.setdefault("thumbnail", pages[1])
    return TiffLayout(
        file=file,
        kind=kind,
        levels=levels,
        associated=associated,
        claims=claims,
        keys_tried=tried,
        properties={key: value for key, value in properties.items() if value},
        icc=base.tags.valueof(34675),
    )


def _kind(file: Any) -> Kind:
    if file.is_svs:
        return "aperio"
    if any(getattr(file, name, False) for name in _VENDORS):
        return "vendor"
    return "ome" if file.is_ome else "generic"


def _segments(path: Path, page: Any, size: int) -> Segments:
    offsets = np.asarray(page.dataoffsets, np.int64)
    counts = np.asarray(page.databytecounts, np.int64)
    if offsets.size == 0 or offsets.size != counts.size:
        raise DamagedSlideError(path, f"one of its images has no pixel data; {CURE}")
    lost = int(np.count_nonzero((offsets + counts > size) & (counts > 0)))
    if lost:
        unit = "tiles" if page.is_tiled else "strips"
        problem = f"{lost} of {offsets.size} {unit} of a {page.imagewidth} x {page.imagelength} image"
        raise DamagedSlideError(path, f"{problem} lie beyond its end; {CURE}")
    tile = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    return Segments(
        page,
        page.imagewidth,
        page.imagelength,
        (int(tile[0]), min(int(tile[1]), page.imagelength) if not page.is_tiled else int(tile[1])),
        offsets,
        counts,
    )


def _pyramid(base: Segments, candidates: list[Segments], kind: Kind) -> tuple[Segments, ...]:
    """The smaller images that show the same as `base`: same proportions to within a row of the smaller."""
    levels = [base]
    for other in sorted(candidates, key=lambda segments: -segments.width):
        factor = base.width / other.width
        same_shape = abs(other.height - base.height / factor) <= max(1.0, 1.5 * other.height / other.width)
        if kind == "aperio" and not other.page.is_tiled:
            continue  # Aperio's thumbnail: a strip image between the levels
        if other.width < levels[-1].width and other.height < levels[-1].height and same_shape:
            levels.append(other)
    return tuple(levels)


def _named(pages: list[Any]) -> dict[str, Any]:
    """Extra images by the name their description gives (Aperio, libvips and OME name them so)."""
    named: dict[str, Any] = {}
    for page in pages:
        text = page.description.lower()
        for name in ("label", "macro", "thumbnail"):
            if name in text:
                named.setdefault(name, page)
    return named


def _claims(
    kind: Kind, base: Any, description: str, properties: dict[str, str]
) -> tuple[tuple[MppClaim, ...], tuple[str, ...]]:
    claims: list[MppClaim] = []
    tried: list[str] = []
    if kind == "aperio":
        tried.append("aperio.MPP")
        try:
            value = float(properties["MPP"])
            claims.append(MppClaim("aperio.MPP", value, value))
        except (KeyError, ValueError):
            pass
    if kind == "ome":
        tried.append(OME_KEY)
        claims += ome_claim(description)
    tried.append(RESOLUTION_KEY)
    claims += resolution_claims(base, description)
    return tuple(claims), tuple(tried)
