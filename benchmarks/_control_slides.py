"""Slides laid out for finding control tissue: simulated tissue cut to pieces and put on glass, truth known.

Hundreds of whole simulated slides would take hours. So the tissue of a few is simulated once and kept, and
each slide here is composed of it at 8 um/px: outlines, places, stains and glass are drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
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
SCORES = ("0", "1+", "2+", "3+")
KINDS = ("resection", "fragment", "cores", "broken", "scattered")
ENDS = ("left", "right", "top", "bottom")
SITES = 6
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Rect = tuple[float, float, float, float]


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
    score: str
    path: Path = Path("composed.tif")
    mpp: float = MPP

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    def overview(self, mpp: float) -> Image:
        return self.image


def tissue_bank(folder: Path) -> dict[tuple[int, str], Tissue]:
    """Tissue by (site, score); simulated where `folder` does not hold it (about 4 minutes)."""
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


def compose(
    rng: np.random.Generator, bank: dict[tuple[int, str], Tissue], kind: str, controls: int
) -> Composed:
    """One slide of a kind with `controls` pieces of control tissue (0 = none)."""
    score = SCORES[int(rng.integers(4))]
    tissue = bank[int(rng.integers(SITES)), score]
    rects = _sample(rng, kind)
    if rng.random() < 0.5:
        rects = [(y, x, h, w) for x, y, w, h in rects]
    marked = _control(rng, rects, controls) if controls else []
    everything = rects + marked
    margin = rng.uniform(0.4, 2.5)
    left, top = min(r[0] for r in everything) - margin, min(r[1] for r in everything) - margin
    width = max(r[0] + r[2] for r in everything) + margin - left
    height = max(r[1] + r[3] for r in everything) + margin - top
    shape = (int(height * 1000 / MPP), int(width * 1000 / MPP))
    light = np.ones((*shape, 3), np.float32)
    masks = np.zeros((2, *shape), bool)
    for number, (x, y, w, h) in enumerate(everything):
        is_control = number >= len(rects)
        outline = _outline(rng, w, h, round_=is_control and min(w, h) < 2.2 and rng.random() < 0.7)
        source = tissue.control if is_control else tissue.sample
        row, column = int((y - top) * 1000 / MPP), int((x - left) * 1000 / MPP)
        place = np.s_[row : row + outline.shape[0], column : column + outline.shape[1]]
        patch = _texture(rng, source, outline.shape)
        light[place][outline] = patch[outline]
        masks[int(is_control)][place] |= outline
    noise = cv2.randn(np.empty((*shape, 3), np.float32), 0, 1.2)
    image = np.clip(light * tissue.white + noise, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return Composed(cv2.imdecode(coded, cv2.IMREAD_COLOR), masks[0], masks[1], kind, score)


def _sample(rng: np.random.Generator, kind: str) -> list[Rect]:
    """Rectangles (x, y, width, height) in mm, x along the longer side."""
    if kind == "resection":
        rects = [(0.0, 0.0, rng.uniform(6, 15), rng.uniform(5, 11))]
        for _ in range(int(rng.integers(0, 3))):
            length, broad = rng.uniform(0.6, 2.5), rng.uniform(0.3, 0.9)
            rects.append(
                (rects[0][2] + rng.uniform(0.3, 1.0), rng.uniform(0, rects[0][3] - 1), length, broad)
            )
            break
        return rects
    if kind == "fragment":
        return [(0.0, 0.0, rng.uniform(3, 8), rng.uniform(1.5, 3.5))]
    if kind == "cores":
        rects, y = [], 0.0
        for _ in range(int(rng.integers(1, 6))):
            rects.append((rng.uniform(0, 3), y, rng.uniform(5, 16), rng.uniform(0.8, 2.0)))
            y += rects[-1][3] + rng.uniform(0.6, 3.0)
        return rects
    if kind == "broken":
        rects, y = [], 0.0
        for _ in range(int(rng.integers(1, 3))):
            x, broad = 0.0, rng.uniform(0.8, 1.8)
            for _ in range(int(rng.integers(2, 7))):
                length = float(np.clip(rng.lognormal(0.8, 0.6), 0.5, 8))
                rects.append((x, y + rng.uniform(-0.3, 0.3), length, broad * rng.uniform(0.85, 1.15)))
                x += length + float(np.clip(rng.lognormal(-0.4, 0.6), 0.2, 3.0))
            y += broad + rng.uniform(1.0, 3.0)
        return rects
    rects = []
    for _ in range(200):
        w, h = rng.uniform(0.5, 3.5), rng.uniform(0.5, 2.0)
        x, y = rng.uniform(0, 14), rng.uniform(0, 7)
        if all(x + w + 0.15 < r[0] or r[0] + r[2] + 0.15 < x or y + h + 0.15 < r[1] or r[1] + r[3] + 0.15 < y
               for r in rects):  # fmt: skip
            rects.append((x, y, w, h))
        if len(rects) == 10:
            break
    return rects[: int(rng.integers(4, 11))]


def _control(rng: np.random.Generator, rects: list[Rect], count: int) -> list[Rect]:
    """Pieces of control tissue, 1 to 8 mm beyond one end of the sample."""
    left, top = min(r[0] for r in rects), min(r[1] for r in rects)
    right, bottom = max(r[0] + r[2] for r in rects), max(r[1] + r[3] for r in rects)
    size = rng.uniform(0.9, 2.0) if count > 1 or rng.random() < 0.6 else rng.uniform(2.0, 4.0)
    gap = float(np.exp(rng.uniform(np.log(1.0), np.log(8.0))))
    end = ENDS[int(rng.integers(4))]
    spacing = size + rng.uniform(0.3, 0.8) * min(gap, 1.5)
    across = end in ("left", "right")
    start = rng.uniform(0, max(0.1, ((bottom - top) if across else (right - left)) - size))
    pieces = []
    for number in range(count):
        along = start + number * spacing
        if across:
            x = left - gap - size if end == "left" else right + gap
            pieces.append((x, top + along, size * rng.uniform(0.9, 1.1), size * rng.uniform(0.9, 1.1)))
        else:
            y = top - gap - size if end == "top" else bottom + gap
            pieces.append((left + along, y, size * rng.uniform(0.9, 1.1), size * rng.uniform(0.9, 1.1)))
    return pieces


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
