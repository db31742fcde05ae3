"""What each page of a TIFF is, by what the file says: base, level, focal plane, or label and the like."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lowpower.slides.tiff._ome import OmeImage, parse_ome

__all__ = ["Contents", "Pages", "Scene", "same_shape", "sort_pages"]

Pages = tuple[Any, ...]
"""One tifffile page, or three that hold red, green and blue."""

_NAMES = "label|macro|thumbnail|overview|barcode|preview|localizer"
_BEGINS = re.compile(rf"(?:Aperio[^\n]*\n)?\W*(?:slide |specimen )?({_NAMES})\b", re.IGNORECASE)
_STANDS = re.compile(rf"(?<![^\W_])({_NAMES})(?![^\W_])", re.IGNORECASE)
_SAYS = re.compile(rf'\b(?:name|type|title|kind)"?\s*[=:]\s*"?({_NAMES})\b', re.IGNORECASE)
_SHORT = 64
_REDUCED, _MASK, _APERIO_MACRO = 1, 4, 9
_IMAGEJ_COUNT = re.compile(r"^(images|channels|slices|frames)=(\d+)\s*$", re.MULTILINE)
_SAME_EXTENT = 0.01


@dataclass
class Scene:
    """One picture of the glass.

    Attributes:
        name: How it is called.
        planes: Base of each focal plane, in order.
        reduced: Levels that are pages of their own; those in SubIFDs hang on the planes.
        image: What OME-XML says of it.
    """

    name: str
    planes: list[Pages]
    reduced: list[Pages] = field(default_factory=list)
    image: OmeImage | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the base."""
        page = self.planes[0][0]
        return int(page.imagewidth), int(page.imagelength)

    def levels(self, plane: int) -> list[tuple[str, Pages]]:
        """What the file declares to be smaller copies of a plane, each with words for where it stands."""
        base = self.planes[plane]
        count = min(len(page.pages or ()) for page in base)
        found = [
            (f"SubIFD {index + 1} of page {base[0].index + 1}", tuple(page.pages[index] for page in base))
            for index in range(count)
        ]
        return found + [(f"page {pages[0].index + 1}", pages) for pages in self.reduced]


@dataclass
class Contents:
    """Everything in a TIFF.

    Attributes:
        scenes: What can be read, in the file's order.
        associated: Label, macro and other images by name.
        notes: Sentences for the user.
        joined: Whether levels were taken from Images of OME-XML by their physical extent; only a look at
            the pixels can confirm those.
    """

    scenes: list[Scene] = field(default_factory=list)
    associated: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    joined: bool = False

    @property
    def largest(self) -> int:
        """Index of the scene with most pixels; the first of equals."""
        areas = [scene.size[0] * scene.size[1] for scene in self.scenes]
        return areas.index(max(areas))

    def add_other(self, name: str, page: Any) -> None:
        """Keep an associated image, under a name that is still free."""
        free = name if name not in self.associated else f"{name} (page {page.index + 1})"
        self.associated[free] = page


def sort_pages(file: Any, pages: Sequence[Any], file_name: str, *, join: bool = True) -> Contents:
    """What each page is.

    Args:
        file: An open tifffile object.
        pages: Its pages.
        file_name: Its name.
        join: Whether an Image of OME-XML may be a level of another that has the same physical extent.
    """
    contents = Contents()
    if file.is_svs:
        _aperio(contents, pages)
    elif file.is_ome and (images := parse_ome(pages[0].description, file_name, pages)):
        _ome(contents, pages, images, join=join)
    else:
        _plain(contents, pages, imagej=bool(file.is_imagej))
    if not contents.scenes:
        _take_something(contents, pages)
    width, height = contents.scenes[contents.largest].size
    for name, page in contents.associated.items():
        if page.imagewidth * page.imagelength > width * height:
            size = f"{page.imagewidth} x {page.imagelength} px"
            contents.notes.append(f"its largest image ({size}) is called '{name}', so it is not the slide.")
    return contents


def same_shape(base: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether `other` is smaller and has the proportions of `base` to within a row of the smaller."""
    (width, height), (small, low) = base, other
    fits = abs(low - height * small / width) <= max(1.0, 1.5 * low / small)
    return small < width and low < height and fits


def _size(page: Any) -> tuple[int, int]:
    return int(page.imagewidth), int(page.imagelength)


def _aperio(contents: Contents, pages: Sequence[Any]) -> None:
    """Aperio's rule: page 1 is the base, tiled pages of its shape are levels, strips are other images."""
    base = Scene("page 1", [(pages[0],)])
    contents.scenes.append(base)
    for page in pages[1:]:
        name = _name_of(page)
        if name is None and not page.is_tiled:
            name = {1: "label", _APERIO_MACRO: "macro"}.get(int(page.subfiletype), "thumbnail")
        if name is not None:
            contents.add_other(name, page)
        elif same_shape(_size(pages[0]), _size(page)):
            base.reduced.append((page,))
        else:
            contents.add_other(f"page {page.index + 1}", page)
            if _size(page) == _size(pages[0]):
                contents.notes.append(
                    f"page {page.index + 1} is as large as the slide (another focal plane?) and is not read."
                )


def _ome(contents: Contents, pages: Sequence[Any], images: list[OmeImage], *, join: bool) -> None:
    used: set[int] = set()
    for image in images:
        used.update(image.pages.values())
        planes: dict[int, dict[int, Any]] = {}
        for (channel, plane), index in image.pages.items():
            planes.setdefault(plane, {})[channel] = pages[index]
        if image.elsewhere:
            files = ", ".join(image.elsewhere[:3])
            contents.notes.append(f"image '{image.name}' has planes in other files ({files}), not read.")
        if not planes:
            continue
        called = _word_in(image.name)
        if called is not None:
            contents.add_other(called, next(iter(planes[min(planes)].values())))
            continue
        stacks = [planes[plane] for plane in sorted(planes)]
        stored = _size(next(iter(stacks[0].values())))
        said = (int(image.pixels["SizeX"]), int(image.pixels["SizeY"]))
        if stored != said:
            contents.notes.append(
                f"image '{image.name}' is {stored[0]} x {stored[1]} px, though its OME-XML says "
                f"{said[0]} x {said[1]}."
            )
        if image.rgb_apart and all(len(stack) == 3 for stack in stacks):
            contents.scenes.append(
                Scene(image.name, [(stack[0], stack[1], stack[2]) for stack in stacks], image=image)
            )
            contents.notes.append("its red, green and blue stand in a page each, in this order.")
            continue
        for channel in sorted({channel for stack in stacks for channel in stack}):
            named = image.channels[channel].get("Name") if channel < len(image.channels) else None
            several = len({c for stack in stacks for c in stack}) > 1
            name = f"{image.name}, {named or f'channel {channel + 1}'}" if several else image.name
            contents.scenes.append(
                Scene(name, [(stack[channel],) for stack in stacks if channel in stack], image=image)
            )
    _add_reduced(contents, [page for page in pages if page.index not in used])
    if join and contents.scenes:
        _join(contents)
    _number_twins(contents.scenes)


def _join(contents: Contents) -> None:
    """Images of the same physical extent with fewer pixels become levels, as older writers put them."""
    base = contents.scenes[contents.largest]
    extent = base.image.extent if base.image is not None else None
    if extent is None or len(base.planes) > 1:
        return
    for scene in list(contents.scenes):
        other = scene.image.extent if scene.image is not None else None
        if scene is base or other is None or len(scene.planes) > 1 or len(scene.planes[0]) != 1:
            continue
        close = all(abs(a / b - 1) < _SAME_EXTENT for a, b in zip(extent, other, strict=True))
        if close and same_shape(base.size, scene.size):
            contents.scenes.remove(scene)
            base.reduced.append(scene.planes[0])
            contents.joined = True


def _plain(contents: Contents, pages: Sequence[Any], *, imagej: bool) -> None:
    stacks = _stacks(pages, imagej=imagej)
    if stacks is not None:
        contents.scenes.append(Scene("page 1", stacks))
        if len(stacks[0]) == 3:
            contents.notes.append("its red, green and blue stand in a page each, in this order.")
        return
    _add_reduced(contents, pages)


def _add_reduced(contents: Contents, pages: Sequence[Any]) -> None:
    """Sort pages by SubfileType and description: full ones are scenes, reduced ones levels of those."""
    reduced = []
    for page in pages:
        kind = int(page.subfiletype)
        name = _name_of(page) or ("mask" if kind & _MASK else None)
        if name is None and kind == _APERIO_MACRO:
            name = "macro"
        if name is not None:
            contents.add_other(name, page)
        elif kind & _REDUCED:
            reduced.append(page)
        else:
            contents.scenes.append(Scene(f"page {page.index + 1}", [(page,)]))
    if reduced and not contents.scenes:
        base = max(reduced, key=lambda page: page.imagewidth * page.imagelength)
        contents.scenes.append(Scene(f"page {base.index + 1}", [(base,)]))
        reduced.remove(base)
    for page in reduced:
        fitting = [
            scene
            for scene in contents.scenes
            if len(scene.planes) == 1 and same_shape(scene.size, _size(page))
        ]
        before = [scene for scene in fitting if scene.planes[0][0].index < page.index]
        if fitting:
            (before[-1] if before else fitting[0]).reduced.append((page,))
        else:
            contents.add_other(f"page {page.index + 1}", page)


def _stacks(pages: Sequence[Any], *, imagej: bool) -> list[Pages] | None:
    """Pages of one size that ImageJ or tifffile declare to be focal planes, or red, green and blue."""
    text = pages[0].description
    channels, planes = 1, 1
    if imagej:
        said = {key: int(value) for key, value in _IMAGEJ_COUNT.findall(text)}
        channels = said.get("channels", 1) if pages[0].samplesperpixel == 1 else 1
        planes = said.get("slices", 1) * said.get("frames", 1)
    elif text.startswith("{"):
        try:
            said = json.loads(text)
            sizes = dict(zip(str(said["axes"]).upper(), map(int, said["shape"]), strict=True))
        except (ValueError, KeyError, TypeError):
            return None
        channels = sizes.get("C", 1) if pages[0].samplesperpixel == 1 else 1
        planes = sizes.get("Z", 1) * sizes.get("T", 1)
    uniform = len({(_size(page), page.samplesperpixel) for page in pages}) == 1
    if channels not in (1, 3) or channels * planes == 1 or channels * planes != len(pages) or not uniform:
        return None
    return [tuple(pages[channels * plane : channels * (plane + 1)]) for plane in range(planes)]


def _take_something(contents: Contents, pages: Sequence[Any]) -> None:
    """A file whose every image is called label or the like is read all the same, and says so."""
    name, page = max(contents.associated.items(), key=lambda item: item[1].imagewidth * item[1].imagelength)
    del contents.associated[name]
    contents.scenes.append(Scene(name, [(page,)]))
    contents.notes.append(f"its only image of this size is called '{name}'; it is read as the slide.")


def _number_twins(scenes: list[Scene]) -> None:
    """Scenes of one name get a number behind it, so that each can be asked for."""
    names = [scene.name for scene in scenes]
    for index, scene in enumerate(scenes):
        if names.count(scene.name) > 1:
            scene.name = f"{names[index]} #{names[: index + 1].count(names[index])}"


def _name_of(page: Any) -> str | None:
    """What a page calls itself: label, macro and the like, by its name tag or description."""
    for text in (str(page.tags.valueof(285) or ""), page.description):
        found = _BEGINS.match(text) or _SAYS.search(text)
        if found is None and len(text) <= _SHORT:
            found = _STANDS.search(text)
        if found:
            return found.group(1).lower()
    return None


def _word_in(name: str) -> str | None:
    found = _STANDS.search(name)
    return None if found is None else found.group(1).lower()
