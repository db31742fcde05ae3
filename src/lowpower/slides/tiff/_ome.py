"""What OME-XML says: images by name, their physical size, and which page holds which plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from lowpower.slides._mpp import number

__all__ = ["OmeImage", "parse_ome"]

_FLUORESCENCE = ("Fluor", "EmissionWavelength", "ExcitationWavelength")
_PRIMARY = (("r", "red"), ("g", "green"), ("b", "blue"))


@dataclass(frozen=True)
class OmeImage:
    """One Image element.

    Attributes:
        name: Its name, else its ID.
        pixels: Attributes of its Pixels element: sizes, physical sizes.
        channels: Attributes of its Channel elements.
        samples: Colours that one page holds.
        pages: Page of each (channel, plane); a channel is a page's worth of colours, planes count z and t.
        elsewhere: Other files that hold planes of it.
    """

    name: str
    pixels: dict[str, str]
    channels: tuple[dict[str, str], ...]
    samples: int
    pages: dict[tuple[int, int], int]
    elsewhere: tuple[str, ...]

    @property
    def rgb_apart(self) -> bool:
        """Whether it is red, green and blue in a page each, as far as the XML says."""
        if self.samples != 1 or int(self.pixels["SizeC"]) != 3:
            return False
        if any(channel.get(key) for channel in self.channels for key in _FLUORESCENCE):
            return False
        names = [channel.get("Name", "").strip().lower() for channel in self.channels]
        unnamed = all(not name or name.startswith(("channel", "c:")) or name.isdecimal() for name in names)
        return unnamed or all(name in colour for name, colour in zip(names, _PRIMARY, strict=False))

    @property
    def extent(self) -> tuple[float, float] | None:
        """Width and height times the physical size, in its own unit; None where it says none."""
        x, y = (number(self.pixels.get(f"PhysicalSize{axis}")) for axis in "XY")
        x, y = (y if x is None else x), (x if y is None else y)
        if x is None or y is None or min(x, y) <= 0:
            return None
        return x * int(self.pixels["SizeX"]), y * int(self.pixels["SizeY"])


def parse_ome(description: str, file_name: str, pages: Sequence[Any]) -> list[OmeImage]:
    """The images of OME-XML, in order; none if it cannot be parsed or only points to another file.

    Args:
        description: The first page's ImageDescription.
        file_name: The file's own name, to tell planes of other files.
        pages: The file's pages.
    """
    try:
        root = ElementTree.fromstring(description)
        images, following = [], 0
        for node in root:
            pixels = next((child for child in node if _tag(child) == "Pixels"), None)
            if _tag(node) == "Image" and pixels is not None:
                image, following = _image(node, pixels, root.get("UUID"), file_name, pages, following)
                images.append(image)
    except (ElementTree.ParseError, KeyError, ValueError):
        return []
    return images


def _image(
    node: Any, pixels: Any, uuid: str | None, file_name: str, pages: Sequence[Any], following: int
) -> tuple[OmeImage, int]:
    """One image, and the page after its last (where images without TiffData go on)."""
    data = [child for child in pixels if _tag(child) == "TiffData"]
    start = int(data[0].get("IFD", 0)) if data else following
    channels = tuple(dict(child.attrib) for child in pixels if _tag(child) == "Channel")
    samples = int(channels[0].get("SamplesPerPixel", 1)) if channels else 1
    if start < len(pages):
        samples = int(pages[start].samplesperpixel)  # what is stored goes before what is said
    counts = {axis: max(1, int(pixels.get(f"Size{axis}"))) for axis in "CZT"}
    counts["C"] = max(1, counts["C"] // samples)
    order = [axis for axis in pixels.get("DimensionOrder", "XYCZT") if axis in counts]
    total = counts["C"] * counts["Z"] * counts["T"]
    found: dict[tuple[int, int], int] = {}
    elsewhere: list[str] = []

    def put(first: int, page: int, length: int) -> None:
        for step in range(min(length, total - first)):
            at, rest = {}, first + step
            for axis in order:
                rest, at[axis] = divmod(rest, counts[axis])
            if page + step < len(pages):
                found[at["C"], at["T"] * counts["Z"] + at["Z"]] = page + step

    for item in data:
        other = next((child for child in item if _tag(child) == "UUID"), None)
        name = "" if other is None else other.get("FileName", "")
        if other is not None and name and name != file_name and other.text != uuid:
            elsewhere.append(name)
            continue
        first, scale = 0, 1
        for axis in order:
            place = int(item.get(f"First{axis}", 0))
            if axis == "C" and place >= counts["C"]:
                place //= samples
            first += place * scale
            scale *= counts[axis]
        alone = 1 if "IFD" in item.attrib else total
        put(first, int(item.get("IFD", 0)), int(item.get("PlaneCount", item.get("NumPlanes", alone))))
    if not data:
        put(0, following, total)
    attributes = dict(pixels.attrib)
    name = node.get("Name") or node.get("ID") or "image"
    image = OmeImage(name, attributes, channels, samples, found, tuple(dict.fromkeys(elsewhere)))
    return image, max(found.values(), default=following - 1) + 1


def _tag(node: Any) -> str:
    return str(node.tag).rsplit("}", 1)[-1]
