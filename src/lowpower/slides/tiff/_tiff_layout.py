"""How a TIFF is laid out: levels, where each tile lies, metadata. Damage is found before decoding."""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, SlideError
from lowpower.slides._choice import Choice
from lowpower.slides._reader import NEVER_WRITTEN, Stored
from lowpower.slides.tiff._tiff_chain import CURE, check_directories
from lowpower.slides.tiff._tiff_mpp import MppSources
from lowpower.slides.tiff._tiff_scenes import Contents, Pages, Scene, same_shape, sort_pages
from lowpower.units import Box

__all__ = ["Segments", "TiffLayout", "read_layout"]

Kind = Literal["aperio", "ome", "generic", "vendor"]
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # silent unless the application logs

_VENDORS = ("is_ndpi", "is_scn", "is_bif", "is_philips", "is_qpi", "is_avs", "is_indica", "is_zif")
_APERIO_FIELD = re.compile(r"\|\s*([^|=]+?)\s*=\s*([^|]*)")
_SEPARATE, _ICC_TAG = 2, 34675
_LARGEST_TILE = 8192
"""Pixels of a tile's side; no scanner writes more, unless the image is about as large itself."""


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
        first: Index, among the page's segments, of the first of these.
        apart: Whether these hold one colour only.
        colours: Segments of each colour, where they are stored apart; the rest then describes the first.
    """

    page: Any
    width: int
    height: int
    tile: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: int = 0
    apart: bool = False
    colours: tuple[Segments, ...] = ()

    @property
    def across(self) -> int:
        """Segments in a row of segments."""
        return -(-self.width // self.tile[0])

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which segments were never written, in some colour at least."""
        parts = self.colours or (self,)
        return np.asarray(np.any([part.counts == 0 for part in parts], axis=0), np.bool_)

    @property
    def samples(self) -> int:
        """Colours that a decoded segment has: one where they are stored apart, else three."""
        return 1 if self.apart else 3


@dataclass(frozen=True)
class TiffLayout:
    """A TIFF as its directories describe it.

    Attributes:
        file: The open tifffile object; the owner closes it.
        kind: Which convention its directories follow; "vendor" is any that only slide libraries know.
        levels: The pyramid of the chosen scene and plane, finest first.
        where: Words for where each level stands in the file.
        associated: Named extra images.
        stored: What the file says of itself.
        joined: Whether some level is only likely to be one, and a look at its pixels must confirm it.
    """

    file: Any
    kind: Kind
    levels: tuple[Segments, ...]
    where: tuple[str, ...]
    associated: dict[str, Any] = field(default_factory=dict)
    stored: Stored = field(default_factory=lambda: Stored((), (), Box(0, 0, 1, 1)))
    joined: bool = False

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of each level."""
        return tuple((level.width, level.height) for level in self.levels)


def read_layout(path: Path, choice: Choice | None = None, *, join: bool = True) -> TiffLayout:
    """Parse and check a TIFF.

    Args:
        path: The file.
        choice: Scene and plane; the largest and the middle one if None.
        join: Whether an image of OME-XML may be a level of another that covers the same extent.

    Raises:
        DamagedSlideError: if a directory, tile or strip lies outside the file, or none can be parsed.
        StructureError: if there is no such scene or plane.
    """
    check_directories(path)
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, OSError) as error:
        raise DamagedSlideError(path, f"its TIFF header cannot be parsed ({error}); {CURE}") from error
    try:
        return _layout(path, file, choice or Choice(), join=join)
    except (
        tifffile.TiffFileError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
    ) as error:  # fmt: skip
        file.close()
        raise DamagedSlideError(path, f"its TIFF directories cannot be parsed ({error}); {CURE}") from error
    except SlideError:
        file.close()
        raise


def _layout(path: Path, file: Any, choice: Choice, *, join: bool) -> TiffLayout:
    pages = list(file.pages)
    every = [*pages, *(child for page in pages for child in page.pages or ())]
    size = path.stat().st_size
    segments = {page.offset: _segments(path, page, size) for page in every if page.imagewidth}
    if not segments:
        raise DamagedSlideError(path, f"holds no image; {CURE}")
    kind = _kind(file)
    contents = sort_pages(file, pages, path.name, join=join) if kind != "vendor" else _by_shape(pages)
    names = [scene.name for scene in contents.scenes]
    index, scene_notes = choice.scene_of(path, names, contents.largest)
    scene = contents.scenes[index]
    plane, plane_notes = choice.plane_of(path, len(scene.planes))
    levels = [_together(scene.planes[plane], segments)]
    where = [f"page {scene.planes[plane][0].index + 1}"]
    for words, declared in sorted(scene.levels(plane), key=lambda level: -level[1][0].imagewidth):
        level = _together(declared, segments)
        finest, last = (levels[0].width, levels[0].height), levels[-1]
        if (
            level.width < last.width
            and level.height < last.height
            and same_shape(finest, (level.width, level.height))
        ):
            levels.append(level)
            where.append(words)
        else:
            size_ = f"{level.width} x {level.height} px"
            contents.notes.append(f"{words} ({size_}) has not the shape of a level and is not read as one.")
    base = scene.planes[plane][0]
    properties = _properties(kind, pages[0])
    sources = _sources(kind, scene, base, pages[0].description, properties)
    stored = Stored(
        sizes=tuple((level.width, level.height) for level in levels),
        rows=tuple(level.tile[1] for level in levels),
        bounds=Box(0, 0, levels[0].width, levels[0].height),
        claims=tuple(sources.claims),
        keys_tried=tuple(sources.tried),
        unusable=tuple(sources.unusable),
        associated=tuple(sorted(contents.associated)),
        vendor="aperio" if kind == "aperio" else properties.get("Make"),
        scanner=properties.get("ScanScope ID" if kind == "aperio" else "Model"),
        icc=base.tags.valueof(_ICC_TAG),
        scenes=tuple(names),
        scene=index,
        planes=len(scene.planes),
        plane=plane,
        notes=(*scene_notes, *plane_notes, *contents.notes, *_unwritten(kind, levels)),
    )
    return TiffLayout(
        file, kind, tuple(levels), tuple(where), contents.associated, stored, joined=contents.joined
    )


def _unwritten(kind: Kind, levels: list[Segments]) -> list[str]:
    """A note for each level that lacks tiles."""
    notes = []
    for number, level in enumerate(levels):
        shown = "from the coarser level" if kind == "aperio" and number + 1 < len(levels) else "as glass"
        lacking = int(np.count_nonzero(level.empty))
        if lacking:
            notes.append(
                f"{NEVER_WRITTEN}: {lacking} of {level.empty.size} tiles of its {level.width} x "
                f"{level.height} image; read {shown}."
            )
    return notes


def _by_shape(pages: list[Any]) -> Contents:
    """Pages of a vendor's TIFF that its library may read as levels, so that their tiles can be looked at."""
    images = [page for page in pages if page.imagewidth]
    base = max(images, key=lambda page: page.imagewidth * page.imagelength)
    levels: list[Pages] = []
    for page in images:
        if same_shape((base.imagewidth, base.imagelength), (page.imagewidth, page.imagelength)):
            levels.append((page,))
    return Contents([Scene("1", [(base,)], levels)])


def _properties(kind: Kind, first: Any) -> dict[str, str]:
    if kind == "aperio":
        found = {key: value.strip() for key, value in _APERIO_FIELD.findall(first.description)}
    else:
        found = {name: str(first.tags.valueof(name) or "") for name in ("Make", "Model")}
    return {key: value for key, value in found.items() if value}


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
    unit = "tiles" if page.is_tiled else "strips"
    lost = int(np.count_nonzero((offsets + counts > size) & (counts > 0)))
    if lost:
        problem = f"{lost} of {offsets.size} {unit} of a {page.imagewidth} x {page.imagelength} image"
        raise DamagedSlideError(path, f"{problem} lie beyond its end; {CURE}")
    tile = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    if page.is_tiled and any(
        side > max(_LARGEST_TILE, 2 * whole)
        for side, whole in zip(tile, (page.imagewidth, page.imagelength), strict=True)
    ):  # a library would ask for the memory of it, and end the process that cannot have it
        told = f"tiles of {tile[0]:,} x {tile[1]:,} px for a {page.imagewidth} x {page.imagelength} image"
        raise DamagedSlideError(path, f"it claims {told}, which no scanner writes; copy or export it again.")
    planes = page.samplesperpixel if int(page.planarconfig) == _SEPARATE else 1
    needed = math.ceil(page.imagewidth / tile[0]) * math.ceil(page.imagelength / tile[1]) * planes
    if offsets.size < needed:
        whole = f"a {page.imagewidth} x {page.imagelength} image"
        told = f"{whole} needs {needed:,} {unit}, and it has {offsets.size:,}"
        raise DamagedSlideError(path, f"{told}; {CURE}")
    return Segments(
        page,
        page.imagewidth,
        page.imagelength,
        (int(tile[0]), min(int(tile[1]), page.imagelength) if not page.is_tiled else int(tile[1])),
        offsets,
        counts,
    )


def _together(pages: Pages, segments: dict[int, Segments]) -> Segments:
    """One level from a page, or from colours that are stored apart: in a page each, or in planes of one."""
    found = [segments[page.offset] for page in pages]
    whole = found[0]
    if len(found) == 1:
        planes = int(whole.page.samplesperpixel) if int(whole.page.planarconfig) == _SEPARATE else 1
        each = whole.offsets.size // planes
        if planes == 1 or each * planes != whole.offsets.size:
            return whole
        cuts = [slice(plane * each, (plane + 1) * each) for plane in range(planes)]
        found = [
            replace(whole, offsets=whole.offsets[cut], counts=whole.counts[cut], first=cut.start, apart=True)
            for cut in cuts
        ]
    elif any(
        (part.width, part.height, part.tile) != (whole.width, whole.height, whole.tile) for part in found
    ):
        raise ValueError("its red, green and blue pages differ in size")
    else:
        found = [replace(part, apart=True) for part in found]
    return replace(whole, colours=tuple(found))


def _sources(kind: Kind, scene: Scene, base: Any, description: str, properties: dict[str, str]) -> MppSources:
    sources = MppSources()
    if kind == "aperio":
        sources.aperio(properties)
    if scene.image is not None:
        sources.ome(scene.image.pixels)
    sources.resolution(base, description)
    if kind == "generic":
        sources.described(base.description)
    return sources
