"""Slides laid out for finding control tissue: simulated tissue cut to pieces and put on glass, truth known.

Hundreds of whole simulated slides would take hours. So the tissue of a few is simulated once and kept, and
each slide here is composed of it at 8 um/px: outlines, places, stains and glass are drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from benchmarks._control_layout import KINDS, SCORES, Spot, lay_out
from numpy.typing import NDArray

from lowpower.simulate import (
    SlideTruth,
    draw_laboratory,
    draw_scanner,
    draw_slide,
    simulate_slide,
    truth_path,
)
from lowpower.slides import open_slide

MPP = 8.0
SITES = 6
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tissue:
    """Transmission (h, w, 3) of simulated sample and of the control beside it, and the glass's RGB."""

    sample: NDArray[np.float32]
    control: NDArray[np.float32]
    white: NDArray[np.float32]


@dataclass(frozen=True)
class Composed:
    """A composed slide, as `find_tissue` reads slides."""

    image: Image
    sample: Mask
    control: Mask
    kind: str
    spots: tuple[Spot, ...]
    path: Path = Path("composed.tif")
    mpp: float = MPP

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    @property
    def end(self) -> str:
        """At which end of the slide the control lies beyond the sample: what a laboratory would say."""
        boxes = []
        for control in (True, False):
            mine = [s for s in self.spots if s.control is control]
            left, top = min(s.x for s in mine), min(s.y for s in mine)
            boxes.append((left, top, max(s.x + s.width for s in mine), max(s.y + s.height for s in mine)))
        ours, rest = boxes
        room = {
            "left": rest[0] - ours[2],
            "right": ours[0] - rest[2],
            "top": rest[1] - ours[3],
            "bottom": ours[1] - rest[3],
        }
        return max(room, key=lambda end: room[end])

    def overview(self, mpp: float) -> Image:
        return self.image


def tissue_bank(folder: Path) -> dict[tuple[int, str], Tissue]:
    """Tissue by (site, score); simulated where `folder` does not hold it (a minute or two)."""
    folder.mkdir(parents=True, exist_ok=True)
    bank = {}
    for site in range(SITES):
        for index, score in enumerate(SCORES):
            path = folder / f"fragment-{site}-{index}.tif"
            if not truth_path(path).exists():
                spec = draw_slide(
                    9000 + 100 * site + 10 * index + 8, score, draw_laboratory(77, site),
                    draw_scanner(77, site % 5, (2.0, 2.0)), specimen="fragment", control=True,
                )  # fmt: skip
                simulate_slide(spec, path)
            bank[site, score] = _cut(path)
    return bank


def _cut(path: Path) -> Tissue:
    truth = SlideTruth.read(truth_path(path))
    white = np.array(truth.spec.scanner.white, np.float32)
    with open_slide(path) as slide:
        image = slide.overview(MPP)
    size = (image.shape[1], image.shape[0])
    masks = []
    for name in (truth.tissue_mask, truth.control_mask):
        assert name is not None
        mask = cv2.imread(str(path.parent / name), cv2.IMREAD_GRAYSCALE)
        masks.append(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127)
    light = image.astype(np.float32) / white
    inner = []
    for mask, margin in ((masks[0] & ~masks[1], 0.12), (masks[1], 0.17)):
        rows, columns = np.nonzero(mask)
        height, width = np.ptp(rows), np.ptp(columns)
        top, left = rows.min() + int(margin * height), columns.min() + int(margin * width)
        inner.append(
            light[top : top + int((1 - 2 * margin) * height), left : left + int((1 - 2 * margin) * width)]
        )
    return Tissue(inner[0], inner[1], white)


def compose(bank: dict[tuple[int, str], Tissue], index: int, *, held_out: bool) -> Composed:
    """Slide `index` of the development or the held-out half: other seeds, other laboratories."""
    rng = np.random.default_rng([index, 6, held_out])
    site = int(rng.integers(SITES // 2)) + (SITES // 2 if held_out else 0)
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    with_control = kind != "array" and rng.random() < 0.5
    spots = lay_out(rng, kind, with_control)
    margin = rng.uniform(0.4, 2.5)
    left, top = min(s.x for s in spots) - margin, min(s.y for s in spots) - margin
    width = max(s.x + s.width for s in spots) + margin - left
    height = max(s.y + s.height for s in spots) + margin - top
    shape = (int(height * 1000 / MPP), int(width * 1000 / MPP))
    light = np.ones((*shape, 3), np.float32)
    masks = np.zeros((2, *shape), bool)
    other_block = rng.normal(0, 0.2)
    for spot in spots:
        outline = _outline(rng, spot.width, spot.height, round_=spot.disc)
        tissue = bank[site, spot.score]
        known = spot.control and spot.score == "3+" and rng.random() < 0.5
        row, column = int((spot.y - top) * 1000 / MPP), int((spot.x - left) * 1000 / MPP)
        place = np.s_[row : row + outline.shape[0], column : column + outline.shape[1]]
        patch = _texture(rng, tissue.control if known else tissue.sample, outline.shape)
        # Thickness and fixation: little between pieces of one block, more between two blocks.
        darker = np.exp(other_block if spot.control else rng.normal(0, 0.08))
        light[place][outline] = np.maximum(patch[outline], 1e-3) ** np.float32(darker)
        masks[int(spot.control)][place] |= outline
    noise = 1.2 * rng.standard_normal((*shape, 3), np.float32)
    image = np.clip(light * bank[site, "0"].white + noise, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return Composed(cv2.imdecode(coded, cv2.IMREAD_COLOR), masks[0], masks[1], kind, tuple(spots))


def _outline(rng: np.random.Generator, width: float, height: float, *, round_: bool) -> Mask:
    shape = (max(4, int(height * 1000 / MPP)), max(4, int(width * 1000 / MPP)))
    ys, xs = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    power = 2.0 if round_ else 5.0
    field = 0.95 - (np.abs(xs) ** power + np.abs(ys) ** power) ** (1 / power)
    nodes = (max(3, int(height / 0.4)), max(3, int(width / 0.4)))
    bend = cv2.resize(
        rng.normal(0, 1, nodes).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(field + bend * (0.02 if round_ else 0.09) > 0)


def _texture(
    rng: np.random.Generator, source: NDArray[np.float32], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """`source` mirrored as often as needed, from a random corner."""
    if rng.random() < 0.5:
        source = np.ascontiguousarray(source.transpose(1, 0, 2))
    rows = np.abs(
        (np.arange(shape[0]) + rng.integers(source.shape[0])) % (2 * source.shape[0]) - source.shape[0] + 0.5
    )
    columns = np.abs(
        (np.arange(shape[1]) + rng.integers(source.shape[1])) % (2 * source.shape[1]) - source.shape[1] + 0.5
    )
    return source[np.ix_(rows.astype(int), columns.astype(int))]
