"""One file of a DICOM whole-slide series: what it says it is, and where its frames belong."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from lowpower.errors import DamagedSlideError
from lowpower.slides._reader import MppClaim

__all__ = ["KEYS", "Instance", "Part", "read_instance"]

KEYS = ("dicom.PixelSpacing", "dicom.ImagedVolumeWidth")
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_ROLES = {"LABEL": "label", "OVERVIEW": "overview", "LOCALIZER": "overview", "THUMBNAIL": "thumbnail"}


@dataclass(frozen=True)
class Part:
    """What an instance says of the concatenation that it is a part of.

    Attributes:
        uid: The concatenation.
        number: Which part, from 1.
        total: How many there are; None where it is not said.
        offset: Frames before its first.
    """

    uid: str
    number: int
    total: int | None
    offset: int


@dataclass(frozen=True)
class Instance:
    """One file of a series.

    Attributes:
        path: The file.
        uid: Its own identifier; empty where it has none.
        series: Identifier of the series.
        role: "volume" (a level), "label", "overview" or "thumbnail".
        width: Total pixel matrix, pixels.
        height: Total pixel matrix, pixels.
        tile: (width, height) of a frame.
        frames: Frames in this file.
        part: Its place in a concatenation, if it is in one.
        pyramid: Identifier of the pyramid it is a level of; empty where it is not said.
        origin: Corner of the image on the glass, mm.
        extent: Width and height on the glass, mm.
        optical_paths: Identifiers and names of its optical paths, in order; at least one.
        focal_planes: Focal planes of a TILED_FULL image.
        depth: Depth of the first focal plane, um.
        spacing: Depth from one focal plane to the next, um; 1 where it is not said.
        claims: um/px found.
        vendor: Who made it, and which scanner.
        icc: ICC profile.
        coding: Transfer syntax, photometric interpretation, planar configuration.
        depth_of_colour: Bits per sample, samples per pixel.
        header: Everything but the pixels.
    """

    path: Path
    uid: str
    series: str
    role: str
    width: int
    height: int
    tile: tuple[int, int]
    frames: int
    part: Part | None
    pyramid: str
    origin: tuple[float, float] | None
    extent: tuple[float, float] | None
    optical_paths: dict[str, str]
    focal_planes: int
    depth: float
    spacing: float
    claims: tuple[MppClaim, ...]
    vendor: tuple[str | None, str | None]
    icc: bytes | None
    coding: tuple[str, str, int]
    depth_of_colour: tuple[int, int]
    header: Any

    @property
    def grid(self) -> tuple[int, int]:
        """Frames across and down that cover the total pixel matrix."""
        return -(-self.width // self.tile[0]), -(-self.height // self.tile[1])

    @cached_property
    def positions(self) -> list[tuple[str, float, int, int]] | None:
        """(optical path, depth um, x, y) of each frame, x and y from 0; None where tiles follow in order.

        Raises:
            DamagedSlideError: if they cannot be parsed.
        """
        with _parsing(self.path):
            groups = self.header.get("PerFrameFunctionalGroupsSequence")
            if not groups or "PlanePositionSlideSequence" not in groups[0]:
                return None
            first = next(iter(self.optical_paths))
            found = []
            for group in groups:
                where = group.PlanePositionSlideSequence[0]
                paths = group.get("OpticalPathIdentificationSequence")
                optical = str(paths[0].get("OpticalPathIdentifier") or first) if paths else first
                found.append(
                    (
                        optical,
                        round(float(where.get("ZOffsetInSlideCoordinateSystem") or 0.0), 3),
                        int(where.ColumnPositionInTotalImagePixelMatrix) - 1,
                        int(where.RowPositionInTotalImagePixelMatrix) - 1,
                    )
                )
        return found


def read_instance(path: Path) -> Instance | None:
    """What a DICOM file says of itself; None if it is no whole-slide image.

    Raises:
        DamagedSlideError: if its header is cut short or broken.
    """
    with _parsing(path):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if header.get("SOPClassUID") != _WHOLE_SLIDE:
            return None
        return _instance(path, header)


@contextlib.contextmanager
def _parsing(path: Path) -> Iterator[None]:
    try:
        with pydicom.config.disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overlong identifiers and the like
            yield
    except (
        InvalidDicomError, BytesLengthException, ArithmeticError, AttributeError, LookupError, EOFError,
        OSError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise DamagedSlideError(
            path, f"its DICOM header is cut short or broken ({error}); copy or export it again."
        ) from error


def _instance(path: Path, header: Any) -> Instance:
    width, height = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
    tile = int(header.Columns), int(header.Rows)
    if min(width, height, *tile) < 1:
        raise ValueError("an image without pixels")
    part, frames = _part(header), int(header.get("NumberOfFrames") or 1)
    paths = _optical_paths(header)
    origin = (header.get("TotalPixelMatrixOriginSequence") or [None])[0]
    corner = [None if origin is None else origin.get(f"{axis}OffsetInSlideCoordinateSystem") for axis in "XY"]
    extent = header.get("ImagedVolumeWidth"), header.get("ImagedVolumeHeight")
    measures = _shared(header, "PixelMeasuresSequence")
    spacing = None if measures is None else measures.get("SpacingBetweenSlices")
    planes = int(header.get("TotalPixelMatrixFocalPlanes") or 1)
    tiles = -(-width // tile[0]) * -(-height // tile[1]) * len(paths)
    if planes == 1 and part is None and frames % tiles == 0:
        planes = max(1, frames // tiles)  # what is stored, where the header did not count it
    optical = header.get("OpticalPathSequence")
    return Instance(
        path=path,
        uid=str(header.get("SOPInstanceUID") or ""),
        series=str(header.SeriesInstanceUID),
        role=_role(header),
        width=width,
        height=height,
        tile=tile,
        frames=frames,
        part=part,
        pyramid=str(header.get("PyramidUID") or ""),
        origin=None if corner[0] is None or corner[1] is None else (float(corner[0]), float(corner[1])),
        extent=(float(extent[0]), float(extent[1])) if extent[0] and extent[1] else None,
        optical_paths=paths,
        focal_planes=planes,
        depth=_depth(header, origin),
        spacing=1000 * float(spacing) if spacing else 1.0,
        claims=_claims(header, width, height),
        vendor=(
            str(header.get("Manufacturer") or "") or None,
            str(header.get("ManufacturerModelName") or "") or None,
        ),
        icc=optical[0].get("ICCProfile") if optical else None,
        coding=(
            str(header.file_meta.TransferSyntaxUID),
            str(header.PhotometricInterpretation),
            int(header.get("PlanarConfiguration") or 0),
        ),
        depth_of_colour=(int(header.BitsAllocated), int(header.SamplesPerPixel)),
        header=header,
    )


def _shared(header: Any, name: str) -> Any:
    """The first item of a shared functional group, or None."""
    groups = header.get("SharedFunctionalGroupsSequence")
    sequence = groups[0].get(name) if groups else None
    return sequence[0] if sequence else None


def _role(header: Any) -> str:
    """What ImageType and FrameType say; a level where neither says anything else."""
    said = [str(part).upper() for part in header.get("ImageType") or ()]
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = header.get(sequence)
        frame = groups[0].get("WholeSlideMicroscopyImageFrameTypeSequence") if groups else None
        said += [str(part).upper() for part in (frame[0].get("FrameType") or () if frame else ())]
    return next((role for word, role in _ROLES.items() if word in said), "volume")


def _part(header: Any) -> Part | None:
    uid = header.get("ConcatenationUID")
    if not uid:
        return None
    number = int(header.get("InConcatenationNumber") or 1)
    total = header.get("InConcatenationTotalNumber")
    offset = int(header.get("ConcatenationFrameOffsetNumber") or 0)
    return Part(str(uid), number, int(total) if total else None, offset)


def _optical_paths(header: Any) -> dict[str, str]:
    items = header.get("OpticalPathSequence") or ()
    names = {}
    for number, item in enumerate(items, 1):
        identifier = str(item.get("OpticalPathIdentifier") or number)
        names[identifier] = str(item.get("OpticalPathDescription") or "").strip() or identifier
    shared = _shared(header, "OpticalPathIdentificationSequence")
    if shared is not None and shared.get("OpticalPathIdentifier"):
        only = str(shared.OpticalPathIdentifier)
        return {only: names.get(only, only)}
    return names or {"1": "1"}


def _depth(header: Any, origin: Any) -> float:
    for item in (_shared(header, "PlanePositionSlideSequence"), origin):
        value = None if item is None else item.get("ZOffsetInSlideCoordinateSystem")
        if value is not None:
            return round(float(value), 3)
    return 0.0


def _claims(header: Any, width: int, height: int) -> tuple[MppClaim, ...]:
    """um/px from PixelSpacing (mm between rows, then columns), then from the imaged volume (mm)."""
    found = []
    measures = _shared(header, "PixelMeasuresSequence")
    if measures is None:
        groups = header.get("PerFrameFunctionalGroupsSequence")
        sequence = groups[0].get("PixelMeasuresSequence") if groups else None
        measures = sequence[0] if sequence else None
    spacing = header.get("PixelSpacing") if measures is None else measures.get("PixelSpacing")
    if spacing is not None and len(spacing) == 2:
        found.append(MppClaim(KEYS[0], 1000 * float(spacing[1]), 1000 * float(spacing[0])))
    across, down = header.get("ImagedVolumeWidth"), header.get("ImagedVolumeHeight")
    if across and down:
        found.append(MppClaim(KEYS[1], 1000 * float(across) / width, 1000 * float(down) / height))
    return tuple(found)
