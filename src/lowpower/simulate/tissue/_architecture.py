"""Tissue architecture of one piece: where epithelium, lumens, vessels, muscle, fat and stroma are.

Everything here lives on the plan grid (`PLAN_UM` um/px); the renderer samples it at any resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._images import Bytes, Floats, blurred, signed_distance
from lowpower.simulate._simulation_spec import Pattern, SlideSpec
from lowpower.simulate._textures import smooth_field, smoothstep
from lowpower.simulate.tissue._growth import grow, scattered
from lowpower.simulate.tissue._layout import PLAN_UM, Place, outline_field

__all__ = ["SOLID", "Architecture", "build_architecture", "clear_empty"]

Halves: TypeAlias = NDArray[np.float16]

SOLID = -40.0
"""Value of the lumen field where a structure has no lumen."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Fields on the plan grid; signed distances in microns, shares as 0..255.

    Attributes:
        place: Where the piece lies.
        outline: Distance to the edge of the tissue, above 0 inside.
        epithelium: Distance to the edge of epithelium, above 0 inside.
        lumen: Distance to the luminal surface, above 0 in the lumen, `SOLID` where there is none.
        vessel: Distance to a vessel's inner surface, above 0 in its lumen.
        component: Number of the epithelial structure, 0 outside.
        walled: Per component, wall thickness in microns of a structure lined by one row of cells, else 0.
        normal: Per component, whether it is normal epithelium.
        necrosis: Share of necrotic epithelium.
        loose: Looseness of the stroma.
        muscle: Share of smooth muscle.
        fat: Share of fat.
        lymph: Density of lymphocytes.
        flow: (rows, columns, 2) displacement in microns that bends textures.
        turn: Direction of fibres before bending, radians.
    """

    place: Place
    outline: Halves
    epithelium: Halves
    lumen: Halves
    vessel: Halves
    component: NDArray[np.int32]
    walled: Floats
    normal: NDArray[np.bool_]
    necrosis: Bytes
    loose: Bytes
    muscle: Bytes
    fat: Bytes
    lymph: Bytes
    flow: Floats
    turn: float


def _signed(mask: NDArray[np.bool_], limit: float, smooth: float = 0.8) -> Floats:
    """Signed distance in microns, rounded off a little."""
    far = signed_distance(mask, limit / PLAN_UM + 2)
    far *= np.float32(PLAN_UM)
    return np.clip(blurred(far, smooth), -limit, limit)


def clear_empty(plan: Architecture, inhabited: NDArray[np.int32]) -> None:
    """Turn structures too small for a single cell back into stroma, in place.

    Args:
        plan: The piece.
        inhabited: Components that have cells.
    """
    kept = np.zeros(len(plan.walled), bool)
    kept[inhabited] = True
    gone = (plan.component > 0) & ~kept[plan.component]
    plan.component[gone] = 0
    plan.epithelium[gone] = np.minimum(-plan.epithelium[gone], -2)
    plan.lumen[gone] = SOLID


def _wanted(spec: SlideSpec, place: Place, attempt: int) -> float:
    return min((0.6 if place.control else spec.tumour) + 0.12 * attempt, 0.9)


def _bytes(field: Floats) -> Bytes:
    return np.clip(field * 255, 0, 255).astype(np.uint8)


def _walls(
    rng: np.random.Generator, patterns: list[Pattern], deepest: Floats, normal: NDArray[np.bool_]
) -> Floats:
    """Wall thickness of each component; 0 = solid."""
    usual = {"tubules": (18.0, 34.0), "columnar": (22.0, 40.0), "glands": (13.0, 26.0)}
    walls = np.zeros(len(patterns), np.float32)
    for number, pattern in enumerate(patterns):
        low, high = (8.0, 12.0) if normal[number] else usual.get(pattern, (0.0, 0.0))
        wall = rng.uniform(low, high) if high else 0.0
        hollow = normal[number] or rng.random() < 0.92
        if pattern == "tubules" and deepest[number] > 110:
            wall = 0.0
        if wall and hollow and deepest[number] > wall + 2.5:
            walls[number] = wall
    return walls


def _cribriform(rng: np.random.Generator, shape: tuple[int, int], share: float) -> Floats:
    """Signed distance to round holes on a jittered lattice, above 0 inside."""
    holes = np.zeros(shape, np.uint8)
    centres, radii = scattered(rng, shape, 42.0 / PLAN_UM, share)
    for (x, y), _ in zip(centres, radii, strict=True):
        axes = rng.uniform(7, 16, 2) / PLAN_UM
        cv2.ellipse(
            holes, (int(x * 4), int(y * 4)), (int(axes[0] * 4), int(axes[1] * 4)),
            float(rng.uniform(0, 180)), 0, 360, 1, -1, shift=2,
        )  # fmt: skip
    return _signed(holes > 0, 30.0, 1.2)


def _vessels(rng: np.random.Generator, shape: tuple[int, int], allowed: NDArray[np.bool_]) -> Floats:
    mask = np.zeros(shape, np.uint8)
    centres, _ = scattered(rng, shape, 150.0 / PLAN_UM, 0.45)
    for x, y in centres:
        radius = float(np.exp(rng.uniform(np.log(6), np.log(38)))) / PLAN_UM
        longer = rng.uniform(1.0, 3.0)
        reach = int(radius * longer + 8)
        window = allowed[max(int(y) - reach, 0) : int(y) + reach, max(int(x) - reach, 0) : int(x) + reach]
        if window.size and window.all():
            cv2.ellipse(
                mask, (int(x * 4), int(y * 4)), (int(radius * longer * 4), int(radius * 4)),
                float(rng.uniform(0, 180)), 0, 360, 1, -1, shift=2,
            )  # fmt: skip
    return _signed(mask > 0, 40.0)


def _measure(component: NDArray[np.int32], count: int, depth: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Deepest point of each component and a pixel (flat index) where it lies."""
    flat, values = component.ravel(), depth.ravel()
    inside = np.flatnonzero(flat)
    order = inside[np.argsort(values[inside], kind="stable")]
    where = np.zeros(count, np.intp)
    where[flat[order]] = order
    deepest = values[where].astype(np.float32)
    deepest[0] = 0
    return deepest, where


def build_architecture(spec: SlideSpec, place: Place, number: int, attempt: int = 0) -> Architecture:
    """Plan piece `number` of a slide; each further `attempt` holds more tumour."""
    rng = np.random.default_rng([spec.seed, 2, number, attempt])
    torn = 0.1 if place.control else spec.looseness
    outline = outline_field(rng, place, spec.specimen, torn * (1.6 if "tear" in spec.artefacts else 1.0))
    shape = (outline.shape[0], outline.shape[1])
    tissue = outline > 0
    names: list[Pattern] = ["nests"] if place.control or attempt > 2 else list(spec.patterns)
    flow = np.stack(
        [
            48 * smooth_field(rng, shape, 260 / PLAN_UM, 2) + 5 * smooth_field(rng, shape, 50 / PLAN_UM, 2)
            for _ in range(2)
        ],
        axis=-1,
    ).astype(np.float32)
    tumour, normal_mask, region = grow(rng, names, _wanted(spec, place, attempt), tissue)
    epithelium_mask = (tumour | normal_mask) & tissue
    count, labels, stats, _ = cv2.connectedComponentsWithStats(epithelium_mask.astype(np.uint8))
    component = np.asarray(labels, np.int32)
    small = stats[:, cv2.CC_STAT_AREA] < 260 / PLAN_UM**2
    small[0] = False
    component[small[component]] = 0
    epithelium = _signed(component > 0, 150.0)
    deepest, where = _measure(component, count, epithelium)
    normal = normal_mask.ravel()[where] & ~tumour.ravel()[where]
    patterns = [names[int(region.ravel()[pixel] > 0) % len(names)] for pixel in where]
    walled = _walls(rng, patterns, deepest, normal)
    wall_map = walled[component] * (1 + 0.1 * smooth_field(rng, shape, 60 / PLAN_UM, 2))
    lumen = np.where(walled[component] > 0, epithelium - wall_map, SOLID).astype(np.float32)
    solid = walled == 0
    sieve = np.array([(p == "ducts" and rng.random() < 0.5) or p in ("solid", "tubules") for p in patterns])
    sieve &= solid
    if sieve.any():
        holes = _cribriform(rng, shape, 0.08 if names == ["solid"] else 0.5)
        holes = np.where(sieve[component] & (epithelium > 12), holes, SOLID)
        lumen = np.maximum(lumen, holes).astype(np.float32)
    big = np.array([pattern in ("ducts", "solid") for pattern in patterns])
    dying = big & (deepest > 70) & (rng.random(count) < 0.6)
    rim = rng.uniform(55, 95) + 12 * smooth_field(rng, shape, 40 / PLAN_UM, 2)
    necrosis = np.where(dying[component], smoothstep(epithelium - rim, 0.0, 8.0), 0).astype(np.float32)
    free = epithelium < -12
    vessel = _vessels(rng, shape, free & (outline > 15))
    soft = {
        name: smooth_field(rng, shape, scale / PLAN_UM, 2)
        for name, scale in (("loose", 350.0), ("muscle", 600.0), ("fat", 700.0), ("lymph", 160.0))
    }
    loose = smoothstep(soft["loose"] + 2.2 * (spec.looseness - 0.5), -1.0, 1.0)
    fat_bias = rng.uniform(1.2, 3.0)
    muscle_bias = rng.uniform(0.6, 2.6)
    crowd = rng.uniform(0.9, 2.8) - 0.25 * np.log(spec.cellularity + 0.1)
    lymph = 0.9 * smoothstep(soft["lymph"] - crowd, -0.4, 1.4)
    return Architecture(
        place=place,
        outline=outline.astype(np.float16),
        epithelium=epithelium.astype(np.float16),
        lumen=np.clip(lumen, SOLID, 60).astype(np.float16),
        vessel=vessel.astype(np.float16),
        component=component,
        walled=walled,
        normal=normal,
        necrosis=_bytes(necrosis),
        loose=_bytes(loose),
        muscle=_bytes(smoothstep(soft["muscle"] - muscle_bias, 0.0, 0.25)),
        fat=_bytes(smoothstep(soft["fat"] - fat_bias, 0.0, 0.2)),
        lymph=_bytes(lymph),
        flow=flow,
        turn=float(rng.uniform(0, np.pi)),
    )
