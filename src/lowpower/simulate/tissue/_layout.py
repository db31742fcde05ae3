"""Where on the glass the pieces of tissue lie, and their outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowpower.simulate._images import Floats, blurred, signed_distance
from lowpower.simulate._simulation_spec import SlideSpec, Specimen
from lowpower.simulate._textures import smooth_field

__all__ = ["PLAN_UM", "Place", "glass_size_um", "lay_out", "outline_field"]

PLAN_UM = 2.5
"""Microns per pixel of the fields a piece is planned on."""

_SIZES: dict[Specimen, tuple[float, float]] = {
    "core": (600.0, 600.0),
    "disc": (1300.0, 1300.0),
    "fragment": (5000.0, 2000.0),
    "biopsy": (15000.0, 2000.0),
    "resection": (10000.0, 10000.0),
}
_PUNCHED: tuple[Specimen, ...] = ("core", "disc")
"""Round, and as wide as high."""
_MARGINS: dict[Specimen, float] = {
    "core": 60.0, "disc": 60.0, "fragment": 500.0, "biopsy": 1000.0, "resection": 1200.0,
}  # fmt: skip
_CONTROL_UM = 1200.0


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of glass that holds one piece of tissue, in microns from the slide's corner.

    Attributes:
        x: Left edge.
        y: Top edge.
        width: Width.
        height: Height.
        control: Whether it is on-slide control tissue.
        round: Whether the piece is a punched disc.
    """

    x: float
    y: float
    width: float
    height: float
    control: bool
    round: bool


def lay_out(spec: SlideSpec) -> list[Place]:
    """The pieces of a slide; the control, if any, lies left of the specimen."""
    rng = np.random.default_rng([spec.seed, 1])
    margin = _MARGINS[spec.specimen]
    width, height = _SIZES[spec.specimen]
    width, height = width * rng.uniform(0.92, 1.06), height * rng.uniform(0.9, 1.08)
    if spec.specimen in _PUNCHED:
        width = height = _SIZES[spec.specimen][0] * rng.uniform(0.88, 1.03)
    x = margin
    places = []
    if spec.control:
        size = _CONTROL_UM * rng.uniform(0.7, 1.1)
        y = margin + rng.uniform(0, max(height - size, 1.0))
        places.append(Place(x, y, size, size, control=True, round=bool(rng.random() < 0.6)))
        x += size + max(margin, 400.0) * rng.uniform(1.0, 2.0)
    places.append(Place(x, margin, width, height, control=False, round=spec.specimen in _PUNCHED))
    return places


def glass_size_um(spec: SlideSpec, places: list[Place]) -> tuple[float, float]:
    """Width and height of the scanned glass, microns."""
    margin = _MARGINS[spec.specimen]
    return max(p.x + p.width for p in places) + margin, max(p.y + p.height for p in places) + margin


def outline_field(rng: np.random.Generator, place: Place, specimen: Specimen, torn: float) -> Floats:
    """Signed distance in microns to the piece's edge, above 0 inside, clipped to +-60, on the plan grid.

    Args:
        rng: Source of randomness.
        place: The piece.
        specimen: Its kind.
        torn: 0 = no holes and a smooth edge, 1 = ragged.
    """
    rows, columns = round(place.height / PLAN_UM), round(place.width / PLAN_UM)
    ys, xs = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = (xs + 0.5) / columns * 2 - 1, (ys + 0.5) / rows * 2 - 1
    um = min(place.width, place.height) / 2
    if place.round:
        inside = (0.94 - np.hypot(x, y)) * um
        bend = smooth_field(rng, (rows, columns), 300 / PLAN_UM, 2) * 0.02 * um
    else:
        corner = 4.0 if specimen in ("resection", "fragment") else 6.0
        power = (np.abs(x) ** corner + np.abs(y) ** corner) ** (1 / corner)
        inside = (0.93 - power) * um
        scale = 900.0 if specimen == "resection" else 500.0
        bend = smooth_field(rng, (rows, columns), scale / PLAN_UM, 3) * 0.12 * um
    ragged = smooth_field(rng, (rows, columns), 45 / PLAN_UM, 3) * (1.5 + 6.0 * torn)
    field = inside + bend - 4.0 + ragged
    if torn > 0.25:
        cleft = np.abs(smooth_field(rng, (rows, columns), 320 / PLAN_UM, 3))
        where = smooth_field(rng, (rows, columns), 500 / PLAN_UM)
        field = np.minimum(field, (cleft - 0.06 * torn) * 200 + np.maximum(0.9 - where, 0) * 60)
    mask = field > 0
    mask[[0, -1]] = False
    mask[:, [0, -1]] = False
    return np.clip(blurred(signed_distance(mask, 60 / PLAN_UM + 2) * np.float32(PLAN_UM), 0.8), -60, 60)
