"""Slides laid out for finding control tissue: simulated tissue cut to pieces and put on glass, truth known.

Hundreds of whole simulated slides would take hours. So tissue is simulated once and kept
(`common/control_bank.py`), and each slide here is composed of it at 8 um/px: outlines, places, thickness and
glass are drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from benchmarks.common.control_bank import MPP, SITES, Bank, Light
from benchmarks.common.control_layout import KINDS, SCORES, Habit, Spot, draw_habit, lay_out
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
_OTHER_PIECE, _OTHER_BLOCK = 0.08, 0.2
"""Standard deviation of log OD between pieces of one section and between two: thickness and fixation. Of 140
sections of nominally 5 um, thickness varied by 5 % within one and by 28 % from one to another (J Histochem
Cytochem 1962;10:96)."""


@dataclass(frozen=True)
class Composed:
    """A composed slide, as `find_tissue` reads slides.

    Attributes:
        scores: (H, W) int8, the score of tumour there, 0 to 3; -1 on glass and benign tissue.
    """

    image: Image
    sample: Mask
    control: Mask
    scores: NDArray[np.int8]
    kind: str
    spots: tuple[Spot, ...]
    path: Path = Path("composed.tif")
    mpp: float = MPP
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
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
        """The picture as it is, whatever is asked."""
        return self.image


def compose(
    banks: tuple[Bank, ...],
    index: int,
    *,
    held_out: bool,
    site: int | None = None,
    habit: Habit | None = None,
    controls: float = 0.5,
) -> Composed:
    """Slide `index` of a half: of any laboratory, or of `site` with its `habit` and share of `controls`."""
    rng = np.random.default_rng([index, 7, held_out, 0 if site is None else 1 + site])
    bank = banks[int(rng.integers(SITES)) if site is None else site]
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    with_control = kind != "array" and rng.random() < controls
    spots = lay_out(rng, kind, with_control, draw_habit(rng) if habit is None else habit)
    margin = rng.uniform(0.4, 2.5)
    left, top = min(s.x for s in spots) - margin, min(s.y for s in spots) - margin
    width = max(s.x + s.width for s in spots) + margin - left
    height = max(s.y + s.height for s in spots) + margin - top
    shape = (int(height * 1000 / MPP), int(width * 1000 / MPP))
    light = np.ones((*shape, 3), np.float32)
    masks = np.zeros((2, *shape), bool)
    scores = np.full(shape, -1, np.int8)
    other_block = rng.normal(0, _OTHER_BLOCK)
    whose = rng.integers(1 << 30, size=2)
    for spot in spots:
        outline = _outline(rng, spot.width, spot.height, round_=spot.disc)
        row, column = int((spot.y - top) * 1000 / MPP), int((spot.x - left) * 1000 / MPP)
        place = np.s_[row : row + outline.shape[0], column : column + outline.shape[1]]
        patch = _texture(rng, _source(rng, bank, spot, whose, one_patient=kind != "array"), outline.shape)
        darker = np.exp(other_block if spot.control else rng.normal(0, _OTHER_PIECE))
        light[place][outline] = np.maximum(patch[outline], 1e-3) ** np.float32(darker)
        masks[int(spot.control)][place] |= outline
        scores[place][outline] = -1 if spot.benign else SCORES.index(spot.score)
    noise = 1.2 * rng.standard_normal((*shape, 3), np.float32)
    image = np.clip(light * bank.white + noise, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return Composed(cv2.imdecode(coded, cv2.IMREAD_COLOR), masks[0], masks[1], scores, kind, tuple(spots))


def _source(
    rng: np.random.Generator, bank: Bank, spot: Spot, whose: NDArray[np.int64], *, one_patient: bool
) -> Light:
    """The tissue a piece is cut of: a control block's, or a region of the slide's patient."""
    if spot.control:
        blocks = bank.controls[spot.score]
        # Left and right half of one block follow each other; one slide's control is one block.
        block = int(whose[0]) % (len(blocks) // 2)
        return blocks[2 * block + int(rng.integers(2))]
    patients = bank.patients[spot.score]
    patient = patients[(int(whose[1]) if one_patient else int(rng.integers(1 << 30))) % len(patients)]
    regions = patient.benign if spot.benign else patient.tumour
    return regions[int(rng.integers(len(regions)))]


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
