"""One field of a simulated slide with the truth of every pixel and cell: what detectors are built on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._make_slide import Plan, render_block
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._stains import Layers
from lowpower.simulate._textures import Floats
from lowpower.simulate.scanner import MARGIN
from lowpower.simulate.tissue import KINDS

__all__ = ["Field", "field_around", "render_field"]

_AROUND_UM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of a simulated slide.

    Attributes:
        image: (H, W, 3) uint8 RGB as the scanner's JPEG gives it back.
        nuclei: (H, W) relative haematoxylin of nuclei, 0 outside them.
        membrane: (H, W) OD of the DAB on membranes.
        xy: (N, 2) centres of nuclei, microns from the field's corner, up to 10 um outside it.
        kind: (N,) names of `KINDS`; erythrocytes have no nucleus and are left out.
        completeness: (N,) stained share of the membrane, 0..1.
        intensity: (N,) relative intensity of the stained membrane, 0..1.
        nuclear: (N,) relative DAB in the nucleus, 0..1.
    """

    image: NDArray[np.uint8]
    nuclei: Floats
    membrane: Floats
    xy: Floats
    kind: NDArray[np.str_]
    completeness: Floats
    intensity: Floats
    nuclear: Floats

    @property
    def tumour_like(self) -> NDArray[np.bool_]:
        """(N,) whether a cell looks like tumour, whether it counts or not: carcinoma in situ does."""
        return np.isin(self.kind, ("tumour", "in-situ"))


def field_around(spec: SlideSpec, plan: Plan, piece: int, cell: int, side_um: float, unit: int) -> Field:
    """The square field with a cell in its middle, as far as the slide reaches.

    Args:
        spec: The slide.
        plan: Its plan.
        piece: Index of the cell's piece.
        cell: Index of the cell in its piece.
        side_um: Side, microns, rounded down to a multiple of `unit`.
        unit: Slide pixels.
    """
    mpp = spec.scanner.mpp
    side = int(side_um / mpp) // unit * unit
    cells, place = plan.pieces[piece].cells, plan.pieces[piece].plan.place
    left, top = (
        int(np.clip((middle - side_um / 2) / mpp, 0, max(0, length - side)))
        for middle, length in zip((cells.x[cell] + place.x, cells.y[cell] + place.y), plan.size, strict=True)
    )
    return render_field(spec, plan, left, top, side, side)


def render_field(spec: SlideSpec, plan: Plan, left: int, top: int, width: int, height: int) -> Field:
    """The slide pixels `left`, `top`, `width`, `height` of a planned slide."""
    layers = Layers.none(width + 2 * MARGIN, height + 2 * MARGIN)
    image = render_block(spec, plan, left, top, width, height, layers)
    if image is None:
        image = np.empty((height, width, 3), np.uint8)
        image[:] = np.asarray(spec.scanner.white, np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, spec.scanner.jpeg_quality]
    _, stream = cv2.imencode(".jpg", image[..., ::-1], quality)
    decoded = cv2.imdecode(stream, cv2.IMREAD_COLOR)
    assert decoded is not None
    image = np.ascontiguousarray(decoded[..., ::-1], np.uint8)
    mpp = spec.scanner.mpp
    columns: list[tuple[Floats, ...]] = []
    kinds = []
    for piece in plan.pieces:
        cells = piece.cells
        x = cells.x + piece.plan.place.x - left * mpp
        y = cells.y + piece.plan.place.y - top * mpp
        near = (x > -_AROUND_UM) & (x < width * mpp + _AROUND_UM)
        near &= (y > -_AROUND_UM) & (y < height * mpp + _AROUND_UM)
        near &= cells.kind != KINDS.index("erythrocyte")
        values = (x, y, cells.completeness, cells.intensity, cells.nuclear)
        columns.append(tuple(np.asarray(value[near], np.float32) for value in values))
        kinds.append(np.array(KINDS)[cells.kind[near]])
    x, y, completeness, intensity, nuclear = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    inner = (slice(MARGIN, MARGIN + height), slice(MARGIN, MARGIN + width))
    return Field(
        image,
        layers.nuclei[inner],
        layers.membrane[inner],
        np.stack([x, y], axis=1),
        np.concatenate(kinds),
        completeness,
        intensity,
        nuclear,
    )
