"""One slide from its spec: plan, cells, pixels, truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._stains import Layers, Stains
from lowpower.simulate._truth import SlideTruth, write_truth
from lowpower.simulate.scanner import MARGIN, TILE, Artefacts, glass, padded, picture, write_pyramid
from lowpower.simulate.stain import (
    CONTROL_SHARES,
    NUCLEAR_CONTROL,
    Piece,
    set_apart,
    stain_beside,
    stain_membranes,
    stain_nuclei,
)
from lowpower.simulate.tissue import build_architecture, clear_empty, glass_size_um, lay_out, place_cells

__all__ = ["plan_slide", "render_block", "simulate_slide"]

_BLOCK = 768
_FEWEST = 300
"""Tumour cells a piece must have for its shares of membrane classes to be meant; else it grows again."""
_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a slide but its pixels: pieces with their cells, flaws, (width, height) in pixels."""

    pieces: list[Piece]
    artefacts: Artefacts
    size: tuple[int, int]


def plan_slide(spec: SlideSpec) -> Plan:
    """Decide a slide: architecture, cells, staining, flaws."""
    places = lay_out(spec)
    width_um, height_um = glass_size_um(spec, places)
    pieces = []
    for number, place in enumerate(places):
        for attempt in range(_ATTEMPTS):
            plan = build_architecture(spec, place, number, attempt)
            rng = np.random.default_rng([spec.seed, 3, number])
            cells = place_cells(rng, spec, plan)
            if not place.control:
                set_apart(np.random.default_rng([spec.seed, 14, number, attempt]), spec, plan, cells)
            if np.count_nonzero(cells.kind == 0) >= _FEWEST:
                break
        clear_empty(plan, np.unique(cells.component))
        if spec.nuclear is None:
            stain_membranes(rng, spec, plan, cells, CONTROL_SHARES if place.control else spec.shares)
            if not place.control:
                stain_beside(np.random.default_rng([spec.seed, 15, number]), spec, cells)
        else:
            shares = NUCLEAR_CONTROL if place.control else spec.shares
            stain_nuclei(rng, spec, spec.nuclear, plan, cells, shares)
        pieces.append(Piece(spec, plan, cells))
    mpp = spec.scanner.mpp
    size = (round(width_um / mpp), round(height_um / mpp))
    return Plan(pieces, Artefacts(spec, size), size)


def render_block(
    spec: SlideSpec,
    plan: Plan,
    left: int,
    top: int,
    width: int,
    height: int,
    layers: Layers | None = None,
) -> NDArray[np.uint8] | None:
    """(height, width, 3) RGB of these slide pixels, or None where only glass is.

    `layers`, `MARGIN` pixels larger on each side, is drawn into if given.
    """
    box = (left - MARGIN, top - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN)
    here = [piece for piece in plan.pieces if piece.near(*box)]
    if not here and not plan.artefacts.touch(*box):
        return None
    stains = Stains.none(box[2], box[3])
    for piece in here:
        stains.add(piece.render(*box, layers))
    flaws = plan.artefacts.spoil(stains, box[0], box[1])
    return picture(stains, spec.laboratory, spec.scanner, left, top, flaws)


def _strips(spec: SlideSpec, plan: Plan) -> Iterator[tuple[NDArray[np.uint8], list[bytes]]]:
    """Rows of pixels with their encoded tiles; tiles of bare glass are encoded once per position."""
    width, height = plan.size
    scanner = spec.scanner

    def encode(tile: NDArray[np.uint8]) -> bytes:
        return bytes(
            imagecodecs.jpeg8_encode(
                padded(tile), level=scanner.jpeg_quality, subsampling=scanner.subsampling
            )
        )

    bare: dict[tuple[int, int], tuple[NDArray[np.uint8], bytes]] = {}

    def bare_tile(left: int, top: int) -> tuple[NDArray[np.uint8], bytes]:
        key = (left // TILE % 8, top // TILE % 8)
        if key not in bare:
            pixels = glass(spec.laboratory, scanner, key[0] * TILE, key[1] * TILE, TILE, TILE)
            bare[key] = pixels, encode(pixels)
        return bare[key]

    for top in range(0, height, _BLOCK):
        rows = min(_BLOCK, height - top)
        strip = np.empty((rows, width, 3), np.uint8)
        tiles: dict[tuple[int, int], bytes] = {}
        for left in range(0, width, _BLOCK):
            columns = min(_BLOCK, width - left)
            block = render_block(spec, plan, left, top, columns, rows)
            if block is not None:
                strip[:, left : left + columns] = block
            for y in range(0, rows, TILE):
                for x in range(left, left + columns, TILE):
                    part = strip[y : y + TILE, x : x + TILE]
                    if block is not None:
                        tiles[y, x] = encode(part)
                    else:
                        pixels, tiles[y, x] = bare_tile(x, top + y)
                        part[:] = pixels[: part.shape[0], : part.shape[1]]
        yield strip, [tiles[key] for key in sorted(tiles)]


def simulate_slide(spec: SlideSpec, path: str | Path) -> SlideTruth:
    """Simulate a slide: `path` (a pyramidal TIFF) and its truth beside it.

    Beside `NAME.tif` come `NAME.truth.json`, `NAME.cells.parquet`, `NAME.tissue.png` and, where there is
    control tissue, `NAME.control.png`. The truth is written last, so its presence means the slide is whole.

    Args:
        spec: What to simulate.
        path: Where to; ends in .tif or .tiff.

    Returns:
        The truth, as written.

    Raises:
        OutputError: if a file cannot be written.
    """
    path = Path(path)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        plan = plan_slide(spec)
        scanner = spec.scanner
        write_pyramid(
            path, plan.size, scanner.mpp, _strips(spec, plan), step=scanner.level_step,
            quality=scanner.jpeg_quality, subsampling=scanner.subsampling,
            description=f"lowpower simulated {spec.marker} IHC slide, not a real specimen; seed {spec.seed}",
        )  # fmt: skip
        return write_truth(spec, plan.pieces, plan.size, path)
    finally:
        cv2.setNumThreads(threads)
