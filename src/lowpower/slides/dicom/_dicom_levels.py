"""Levels of a DICOM slide: parts of concatenations joined, optical paths and focal planes told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NotASlideError, StructureError
from lowpower.slides._choice import Choice
from lowpower.slides.dicom._dicom_instance import Instance
from lowpower.slides.dicom._dicom_series import Series
from lowpower.slides.tiff import same_shape

__all__ = ["ChosenLevel", "DicomSlide", "arrange"]

_CURE = "copy or export it again."
_SHAPE = 0.03  # padded levels are a little wider or longer than the base
_ORIGIN = 0.05  # share of the slide's extent


@dataclass(frozen=True)
class ChosenLevel:
    """One level of the chosen optical path and focal plane.

    Attributes:
        parts: The instances that hold its frames.
        frames: (rows, columns, 2): index into `parts` and of the frame in it, of each tile; -1 where a
            sparse image has none.
    """

    parts: tuple[Instance, ...]
    frames: NDArray[np.int64]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the total pixel matrix."""
        return self.parts[0].width, self.parts[0].height


@dataclass(frozen=True)
class DicomSlide:
    """A series, arranged.

    Attributes:
        levels: The chosen pyramid, finest first.
        extras: Label, overview and thumbnail by role.
        files: Every file of the series.
        scenes: Names of the scenes (pyramids and optical paths).
        scene: Index of the chosen one.
        planes: Focal planes of that scene.
        plane: Index of the chosen one.
        notes: Sentences for the user.
        simple: Whether each level is one file with one path and plane, which every library reads.
    """

    levels: tuple[ChosenLevel, ...]
    extras: dict[str, Instance]
    files: tuple[Path, ...]
    scenes: tuple[str, ...] = ("1",)
    scene: int = 0
    planes: int = 1
    plane: int = 0
    notes: tuple[str, ...] = ()
    simple: bool = True


@dataclass
class _Sheet:
    """The tiles of one size, path and depth."""

    parts: list[Instance] = field(default_factory=list)
    frames: NDArray[np.int64] | None = None


_Sheets = dict[tuple[str, float], _Sheet]


def arrange(path: Path, series: Series, choice: Choice) -> DicomSlide:
    """Levels of the chosen scene and plane.

    Raises:
        StructureError: if a part of a concatenation is missing, two files hold the same tiles, or there is no
            such scene or plane.
        DamagedSlideError: if frames are missing.
        NotASlideError: if tiles lie off their grid.
    """
    regions = _regions(series.volumes)
    found = [(region, [_sheets(path, level) for level in _by_size(region)]) for region in regions]
    names, places = [], []
    for number, (region, levels) in enumerate(found, 1):
        paths = list(dict.fromkeys(optical for optical, _ in levels[0]))
        for optical in paths:
            called = next((i.optical_paths[optical] for i in region if optical in i.optical_paths), optical)
            names.append(called if len(found) == 1 else f"region {number}" + f", {called}" * (len(paths) > 1))
            places.append((number - 1, optical))
    index, scene_notes = choice.scene_of(path, names)
    region_index, optical = places[index]
    levels = found[region_index][1]
    depths = sorted(depth for which, depth in levels[0] if which == optical)
    plane, plane_notes = choice.plane_of(path, len(depths))
    chosen = []
    for sheets in levels:
        stored = list(dict.fromkeys(which for which, _ in sheets))
        mine = optical if optical in stored else stored[0]
        if mine != optical and len(stored) > 1:
            continue  # this level was not stored for the chosen optical path
        depth = min((d for which, d in sheets if which == mine), key=lambda d: (abs(d - depths[plane]), d))
        sheet = sheets[mine, depth]
        assert sheet.frames is not None
        chosen.append(ChosenLevel(tuple(sheet.parts), sheet.frames))
    simple = len(names) == 1 and all(len(sheets) == 1 for sheets in levels)
    simple &= all(len(level.parts) == 1 and level.parts[0].part is None for level in chosen)
    return DicomSlide(
        tuple(chosen),
        series.extras,
        tuple(instance.path for instance in (*series.volumes, *series.extras.values())),
        tuple(names),
        index,
        len(depths),
        plane,
        (*scene_notes, *plane_notes, *series.notes),
        simple and not any(instance.coding[2] for instance in series.volumes),
    )


def _regions(volumes: list[Instance]) -> list[list[Instance]]:
    """Instances of one pyramid each: same pyramid identifier where given, same shape and place."""
    regions: list[list[Instance]] = []
    for instance in volumes:
        for region in regions:
            if _belongs(region[0], instance):
                region.append(instance)
                break
        else:
            regions.append([instance])
    return regions


def _belongs(base: Instance, other: Instance) -> bool:
    if base.pyramid and other.pyramid and base.pyramid != other.pyramid:
        return False
    sizes = (base.width, base.height), (other.width, other.height)
    ratio = (other.width / other.height) / (base.width / base.height)
    if not (sizes[0] == sizes[1] or same_shape(*sizes) or abs(ratio - 1) <= _SHAPE):
        return False
    if base.origin is None or other.origin is None or base.extent is None:
        return True
    return math.dist(base.origin, other.origin) <= _ORIGIN * max(base.extent)


def _by_size(region: list[Instance]) -> list[list[Instance]]:
    levels: dict[tuple[int, int], list[Instance]] = {}
    for instance in region:
        levels.setdefault((instance.width, instance.height), []).append(instance)
    return list(levels.values())


def _sheets(path: Path, instances: list[Instance]) -> _Sheets:
    """The tiles of all instances of one size, by optical path and depth."""
    _refuse_missing_parts(path, instances)
    sheets: _Sheets = {}
    for instance in instances:
        for key, where in _places(instance).items():
            sheet = sheets.setdefault(key, _Sheet())
            across, down = instance.grid
            if sheet.frames is None:
                sheet.frames = np.full((down, across, 2), -1, np.int64)
            rows, columns, frames = where.T
            taken = sheet.frames.shape[:2] != (down, across) or (sheet.frames[rows, columns, 0] >= 0).any()
            if taken:
                raise StructureError(
                    path,
                    f"{sheet.parts[0].path.name} and {instance.path.name} hold the same part of the slide; "
                    "move one of them away.",
                )
            sheet.frames[rows, columns, 0] = len(sheet.parts)
            sheet.frames[rows, columns, 1] = frames
            sheet.parts.append(instance)
    full = [instance for instance in instances if instance.positions is None]
    for sheet in sheets.values():
        assert sheet.frames is not None
        lost = int((sheet.frames[..., 0] < 0).sum())
        if lost and any(part in full for part in sheet.parts):
            every = sheet.frames.shape[0] * sheet.frames.shape[1]
            raise DamagedSlideError(sheet.parts[0].path, f"holds {every - lost} of {every} frames; {_CURE}")
    return sheets


def _refuse_missing_parts(path: Path, instances: list[Instance]) -> None:
    concatenations: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.part is not None:
            concatenations.setdefault(instance.part.uid, []).append(instance)
    for parts in concatenations.values():
        known = [instance.part for instance in parts if instance.part is not None]
        total = max((part.total or part.number) for part in known)
        missing = sorted(set(range(1, total + 1)) - {part.number for part in known})
        if missing:
            which = ", ".join(map(str, missing))
            raise StructureError(
                path,
                f"is a DICOM concatenation of {total} parts, and part {which} is missing; "
                "put the files of all parts in one folder.",
            )


def _places(instance: Instance) -> dict[tuple[str, float], NDArray[np.int64]]:
    """(row, column, frame) of each frame, by optical path and depth in um."""
    across, down = instance.grid
    positions = instance.positions
    if positions is not None:
        rows: dict[tuple[str, float], list[tuple[int, int, int]]] = {}
        for frame, (optical, depth, x, y) in enumerate(positions):
            if x % instance.tile[0] or y % instance.tile[1]:
                raise NotASlideError(instance.path, "has tiles off their grid; export it again.")
            column, row = x // instance.tile[0], y // instance.tile[1]
            if 0 <= row < down and 0 <= column < across:
                rows.setdefault((optical, depth), []).append((row, column, frame))
        return {key: np.array(value, np.int64) for key, value in rows.items()}
    tiles = across * down
    offset = 0 if instance.part is None else instance.part.offset
    frames = np.arange(instance.frames, dtype=np.int64)
    sheet, tile = np.divmod(frames + offset, tiles)
    found = {}
    planes = instance.focal_planes
    for number in np.unique(sheet):
        mine = sheet == number
        depth = instance.depth + int(number) % planes * instance.spacing
        names = list(instance.optical_paths)
        optical = names[min(int(number) // planes, len(names) - 1)]
        found[optical, depth] = np.stack([tile[mine] // across, tile[mine] % across, frames[mine]], axis=1)
    return found
