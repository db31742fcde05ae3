"""Cells of one piece: where they are, how they point, what they are. No two overlap."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._textures import Floats
from lowpower.simulate.tissue._architecture import Architecture
from lowpower.simulate.tissue._layout import PLAN_UM
from lowpower.simulate.tissue._nuclei_library import KINDS

__all__ = ["EPITHELIAL", "Cells", "place_cells"]

_Scalar = TypeVar("_Scalar", bound=np.generic)
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
EPITHELIAL: Final = tuple(_NUMBER[kind] for kind in ("tumour", "normal", "in-situ", "crushed"))
"""Kinds whose cells tile the epithelium between them."""


@dataclass(slots=True)
class Cells:
    """A table of N cells; lengths in microns from the piece's corner.

    Attributes:
        x: Centre of the nucleus.
        y: Centre of the nucleus.
        turn: Direction of the long axis; of columnar cells, towards the lumen.
        half: Half the length of the cell's core (0 = round cell), epithelium only.
        shift: From the middle of the core to the nucleus, along `turn`.
        kind: Index into `KINDS`.
        component: Epithelial structure, 0 = none.
        columnar: Whether the cell reaches from basement membrane to lumen.
        dice: Uniform random bits for whatever else differs between cells.
        completeness: Stained share of the membrane, 0..1.
        intensity: Relative intensity of the stained membrane, 0..1.
        nuclear: Relative DAB in the nucleus, 0..1.
    """

    x: Floats
    y: Floats
    turn: Floats
    half: Floats
    shift: Floats
    kind: NDArray[np.uint8]
    component: NDArray[np.int32]
    columnar: NDArray[np.bool_]
    dice: NDArray[np.uint32]
    completeness: Floats
    intensity: Floats
    nuclear: Floats

    def __len__(self) -> int:
        return len(self.x)

    def pick(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Cells:
        """The cells of `index`."""
        return Cells(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @staticmethod
    def joined(parts: list[Cells]) -> Cells:
        """All cells of several tables."""
        return Cells(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(Cells)
            }
        )


def _table(
    rng: np.random.Generator,
    xy: Floats,
    kind: str,
    *,
    turn: Floats | float = 0.0,
    half: Floats | float = 0.0,
    shift: Floats | float = 0.0,
    component: NDArray[np.int32] | int = 0,
    columnar: bool = False,
) -> Cells:
    count = len(xy)

    def full(value: Floats | float) -> Floats:
        return np.broadcast_to(np.asarray(value, np.float32), (count,)).copy()

    return Cells(
        x=xy[:, 0].astype(np.float32),
        y=xy[:, 1].astype(np.float32),
        turn=full(turn),
        half=full(half),
        shift=full(shift),
        kind=np.full(count, _NUMBER[kind], np.uint8),
        component=np.broadcast_to(np.asarray(component, np.int32), (count,)).copy(),
        columnar=np.full(count, columnar),
        dice=rng.integers(0, 2**32, count, dtype=np.uint32),
        completeness=np.zeros(count, np.float32),
        intensity=np.zeros(count, np.float32),
        nuclear=np.zeros(count, np.float32),
    )


def _lattice(rng: np.random.Generator, plan: Architecture, spacing: float, jitter: float) -> Floats:
    """(N, 2) microns: a hexagonal lattice with jitter over the whole piece."""
    step_y = spacing * 0.866
    columns, rows = int(plan.place.width / spacing) + 1, int(plan.place.height / step_y) + 1
    gx, gy = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    x = (gx + 0.5 * (gy % 2)) * spacing + rng.uniform(-jitter, jitter, gx.shape) * spacing
    y = gy * step_y + rng.uniform(-jitter, jitter, gx.shape) * spacing
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def sample(field: NDArray[_Scalar], xy: Floats) -> NDArray[_Scalar]:
    """Nearest value of a plan field at (N, 2) microns."""
    column = np.clip((xy[:, 0] / PLAN_UM).astype(np.intp), 0, field.shape[1] - 1)
    row = np.clip((xy[:, 1] / PLAN_UM).astype(np.intp), 0, field.shape[0] - 1)
    return field[row, column]


def _gradient_turn(field: NDArray[np.float16], xy: Floats, reach_um: float = 5.0) -> Floats:
    """Direction of steepest ascent of a plan field at (N, 2) microns, radians."""
    dx = np.array([reach_um, 0], np.float32)
    dy = np.array([0, reach_um], np.float32)
    gx = sample(field, xy + dx).astype(np.float32) - sample(field, xy - dx).astype(np.float32)
    gy = sample(field, xy + dy).astype(np.float32) - sample(field, xy - dy).astype(np.float32)
    return np.arctan2(gy, gx).astype(np.float32)


def _walk(rng: np.random.Generator, mask: NDArray[np.uint8], spacing: float) -> Floats:
    """(N, 2) microns along the borders of a plan mask, about `spacing` microns apart."""
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in contours:
        if len(contour) < 6:
            continue
        path = contour[:, 0].astype(np.float64)
        kernel = np.array([1, 3, 5, 6, 5, 3, 1], np.float64) / 24
        padded = np.concatenate([path[-3:], path, path[:3]])
        path = np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)
        closed = np.concatenate([path, path[:1]]) * PLAN_UM
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
        count = int(along[-1] / spacing)
        if count < 3:
            continue
        stops = (np.arange(count) + rng.uniform(-0.22, 0.22, count)) * (along[-1] / count)
        stops %= along[-1]
        found.append(np.stack([np.interp(stops, along, closed[:, axis]) for axis in (0, 1)], axis=1))
    points = np.concatenate(found) if found else np.zeros((0, 2))
    return (points + PLAN_UM / 2).astype(np.float32)


def _columnar(rng: np.random.Generator, spec: SlideSpec, plan: Architecture, normal: bool) -> Cells:
    """One row of cells lining each walled structure, the core of each spanning the wall."""
    wall_map = plan.walled[plan.component] * (plan.normal[plan.component] == normal)
    inner = (wall_map > 0) & (plan.epithelium > wall_map / 2)
    spacing = 5.6 if normal else max(4.4, 0.6 * spec.nucleus_um)
    xy = _walk(rng, inner.astype(np.uint8), spacing)
    wall = np.asarray(sample(wall_map, xy), np.float32)
    component = np.asarray(sample(plan.component, xy), np.int32)
    keep = (wall > 0) & (np.asarray(sample(plan.outline, xy)) > 2)
    xy, wall, component = xy[keep], wall[keep], component[keep]
    turn = _gradient_turn(plan.epithelium, xy)
    half = np.maximum(wall / 2 - 3.0, 0.5).astype(np.float32)
    room = np.maximum(half - 2.0, 0)
    # Neighbours' nuclei lie at different heights, the more so the taller the cells.
    level = np.where(np.arange(len(xy)) % 2, 0.2, -0.55) + rng.normal(0, 0.25, len(xy))
    shift = (room * np.clip(level, -1, 0.9)).astype(np.float32)
    middle = xy.copy()
    xy = middle + shift[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return _table(
        rng, xy.astype(np.float32), "normal" if normal else "tumour",
        turn=turn, half=half, shift=shift, component=component, columnar=True,
    )  # fmt: skip


def _solid(rng: np.random.Generator, spec: SlideSpec, plan: Architecture) -> Cells:
    """Cells that fill solid structures."""
    spacing = spec.nucleus_um * spec.spacing
    xy = _lattice(rng, plan, spacing, 0.24)
    component = np.asarray(sample(plan.component, xy), np.int32)
    depth = np.asarray(sample(plan.epithelium, xy), np.float32)
    lumen = np.asarray(sample(plan.lumen, xy), np.float32)
    keep = (component > 0) & (plan.walled[component] == 0) & (depth > 0.3 * spacing)
    keep &= (lumen < -0.3 * spacing) & (np.asarray(sample(plan.outline, xy)) > 2)
    keep &= np.asarray(sample(plan.necrosis, xy)) < 90
    xy, component, depth = xy[keep], component[keep], depth[keep]
    turn = np.where(depth < spacing, _gradient_turn(plan.epithelium, xy), rng.uniform(0, np.pi, len(xy)))
    half = spacing * np.where(depth < spacing, 0.16, 0.1) * rng.uniform(0, 2, len(xy))
    tumour = _table(
        rng, xy, "tumour", turn=turn.astype(np.float32), half=half.astype(np.float32), component=component
    )
    tumour.kind[plan.normal[component]] = _NUMBER["normal"]
    return tumour


def _fibre_turn(plan: Architecture, xy: Floats) -> Floats:
    """Direction of fibres at (N, 2) microns: along constant v of the bent texture coordinates."""
    v = plan.flow[..., 1]
    dx, dy = np.array([8.0, 0], np.float32), np.array([0, 8.0], np.float32)
    vx = (sample(v, xy + dx) - sample(v, xy - dx)) / 16.0
    vy = (sample(v, xy + dy) - sample(v, xy - dy)) / 16.0
    turn = np.arctan2(np.cos(plan.turn) + vy, vx - np.sin(plan.turn)) + np.pi / 2
    return np.asarray(turn, np.float32)


def _stromal(rng: np.random.Generator, spec: SlideSpec, plan: Architecture) -> Cells:
    """Fibroblasts, lymphocytes, endothelium and red cells between the epithelial structures."""

    def free(xy: Floats, margin: float) -> NDArray[np.bool_]:
        room = np.asarray(sample(plan.epithelium, xy)) < -margin
        room &= np.asarray(sample(plan.outline, xy)) > 3
        return np.asarray(room & (np.asarray(sample(plan.vessel, xy)) < -2.5))

    lymph = _lattice(rng, plan, 7.6, 0.2)
    density = np.asarray(sample(plan.lymph, lymph), np.float32) / 255
    few = (0.006 + 0.06 * rng.random() ** 2) * spec.cellularity
    lymph = lymph[free(lymph, 3.5) & (rng.random(len(lymph)) < 0.75 * density + few)]
    spindle = _lattice(rng, plan, 13.0, 0.4)
    spread = 0.42 * spec.cellularity * (1 - 0.45 * np.asarray(sample(plan.loose, spindle), np.float32) / 255)
    spread *= 1 - np.asarray(sample(plan.fat, spindle), np.float32) / 275
    spindle = spindle[free(spindle, 3.0) & (rng.random(len(spindle)) < spread)]
    lining = _walk(rng, (plan.vessel > -1.5).astype(np.uint8), 11.0)
    red = _lattice(rng, plan, 6.4, 0.22)
    inside = np.asarray(sample(plan.vessel, red), np.float32) > 3
    crowd = rng.random(plan.component.shape[0] // 40 + 2)
    filled = crowd[(red[:, 1] / PLAN_UM / 40).astype(np.intp) % len(crowd)]
    stray = np.asarray(sample(plan.loose, red)) > 120
    red = red[
        (inside & (rng.random(len(red)) < filled)) | (stray & free(red, 3) & (rng.random(len(red)) < 0.004))
    ]
    parts = [
        _table(rng, lining, "endothelial", turn=_gradient_turn(plan.vessel, lining) + np.float32(np.pi / 2)),
        _table(rng, lymph, "lymphocyte", turn=rng.uniform(0, np.pi, len(lymph)).astype(np.float32)),
        _table(rng, spindle, "stromal", turn=_fibre_turn(plan, spindle)),
        _table(rng, red, "erythrocyte", turn=rng.uniform(0, np.pi, len(red)).astype(np.float32)),
    ]
    return _without_overlap(Cells.joined(parts), 5.6)


def _without_overlap(cells: Cells, distance: float) -> Cells:
    """Of two cells nearer than `distance` microns the later goes."""
    if len(cells) < 2:
        return cells
    pairs = cKDTree(np.stack([cells.x, cells.y], axis=1)).query_pairs(distance, output_type="ndarray")
    gone = np.zeros(len(cells), bool)
    gone[pairs.max(axis=1)] = True
    return cells.pick(~gone)


def place_cells(rng: np.random.Generator, spec: SlideSpec, plan: Architecture) -> Cells:
    """All cells of a piece, membranes still unstained.

    Args:
        rng: Source of randomness.
        spec: The slide.
        plan: The piece's architecture.
    """
    epithelium = Cells.joined(
        [_columnar(rng, spec, plan, False), _columnar(rng, spec, plan, True), _solid(rng, spec, plan)]
    )
    return Cells.joined([_without_overlap(epithelium, 3.2), _stromal(rng, spec, plan)])
