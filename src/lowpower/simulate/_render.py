"""From plan and cells to stain: amounts of haematoxylin, DAB and colourless refraction, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._architecture import Architecture
from lowpower.simulate._cells import Cells
from lowpower.simulate._labels import Frame, cell_map, membranes
from lowpower.simulate._layout import PLAN_UM
from lowpower.simulate._nuclei import KINDS, NucleusLibrary, nucleus_library
from lowpower.simulate._spec import SlideSpec
from lowpower.simulate._textures import BANK, BANK_UM, Floats, bank, smoothstep

__all__ = ["Piece", "Stains"]

_REACH_UM = 45.0


@dataclass(frozen=True, slots=True)
class Stains:
    """Optical densities (length of the OD vector), each (height, width)."""

    hematoxylin: Floats
    dab: Floats
    grey: Floats


def _sampled(field: NDArray[np.generic], frame: Frame, step: int) -> Floats:
    """A plan field at every `step`-th pixel of a frame."""
    scale = step * frame.mpp / PLAN_UM
    x = (frame.x + 0.5 * step * frame.mpp) / PLAN_UM - 0.5
    y = (frame.y + 0.5 * step * frame.mpp) / PLAN_UM - 0.5
    rows, columns = -(-frame.height // step), -(-frame.width // step)
    left = int(np.clip(np.floor(x) - 1, 0, field.shape[1] - 1))
    top = int(np.clip(np.floor(y) - 1, 0, field.shape[0] - 1))
    right = int(np.clip(np.ceil(x + columns * scale) + 2, left + 1, field.shape[1]))
    bottom = int(np.clip(np.ceil(y + rows * scale) + 2, top + 1, field.shape[0]))
    window = field[top:bottom, left:right].astype(np.float32)
    matrix = np.array([[scale, 0, x - left], [0, scale, y - top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(window, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)


class Piece:
    """One piece of tissue, ready to be rendered anywhere.

    Args:
        spec: The slide.
        plan: The piece's architecture.
        cells: Its cells, stained.
    """

    def __init__(self, spec: SlideSpec, plan: Architecture, cells: Cells) -> None:
        self.spec, self.plan = spec, plan
        order = np.argsort(cells.y, kind="stable")
        self.cells = cells.pick(order)
        self.library: NucleusLibrary = nucleus_library(spec.nucleus_um, spec.scanner.mpp, spec.seed % 16)
        self.rng_component = np.random.default_rng([spec.seed, 7]).random(len(plan.walled)).astype(np.float32)

    def near(self, left: int, top: int, width: int, height: int) -> bool:
        """Whether any tissue may show in these slide pixels."""
        frame = self.frame(left, top, width, height)
        place = self.plan.place
        if frame.x > place.width or frame.y > place.height:
            return False
        if frame.x + width * frame.mpp < 0 or frame.y + height * frame.mpp < 0:
            return False
        x0, y0 = max(int(frame.x / PLAN_UM) - 3, 0), max(int(frame.y / PLAN_UM) - 3, 0)
        x1 = int((frame.x + width * frame.mpp) / PLAN_UM) + 4
        y1 = int((frame.y + height * frame.mpp) / PLAN_UM) + 4
        return bool((self.plan.outline[y0:y1, x0:x1] > -4).any())

    def frame(self, left: int, top: int, width: int, height: int) -> Frame:
        """Slide pixels as a frame of this piece."""
        mpp = self.spec.scanner.mpp
        return Frame(
            left * mpp - self.plan.place.x, top * mpp - self.plan.place.y, width, height, mpp, left, top
        )

    def _cells_near(self, frame: Frame) -> Cells:
        low = np.searchsorted(self.cells.y, frame.y - _REACH_UM)
        high = np.searchsorted(self.cells.y, frame.y + frame.height * frame.mpp + _REACH_UM)
        x = self.cells.x[low:high]
        inside = (x > frame.x - _REACH_UM) & (x < frame.x + frame.width * frame.mpp + _REACH_UM)
        return self.cells.pick(np.flatnonzero(inside) + low)

    def _maps(self, frame: Frame, step: int) -> tuple[Floats, Floats]:
        """Bent, turned coordinates in bank pixels."""
        flow = _sampled(self.plan.flow, frame, step)
        x = frame.x + (np.arange(flow.shape[1], dtype=np.float32) + 0.5) * np.float32(step * frame.mpp)
        y = frame.y + (np.arange(flow.shape[0], dtype=np.float32)[:, None] + 0.5) * np.float32(
            step * frame.mpp
        )
        cos, sin = np.float32(np.cos(self.plan.turn)), np.float32(np.sin(self.plan.turn))
        u = (x * cos + y * sin + flow[..., 0]) / np.float32(BANK_UM)
        v = (-x * sin + y * cos + flow[..., 1]) / np.float32(BANK_UM)
        return u, v

    def _texture(self, name: str, maps: tuple[Floats, Floats], zoom: float = 1.0) -> Floats:
        u, v = (plane * np.float32(zoom) for plane in maps)
        # remap counts in 16 bits, so whole periods are taken off first.
        u -= np.floor(u.min() / BANK) * BANK
        v -= np.floor(v.min() / BANK) * BANK
        return cv2.remap(bank(name), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

    def _stroma(self, frame: Frame) -> Floats:
        """Haematoxylin of everything between the cells of the stroma."""
        lab, plan = self.spec.laboratory, self.plan
        step = 2 if frame.mpp < 0.36 else 1
        maps = self._maps(frame, step)
        fibres = self._texture("fibres", maps)
        loose = _sampled(plan.loose, frame, step) / np.float32(255)
        web = self._texture("web", maps, 0.9)
        dense = (1 + 0.42 * fibres) * smoothstep(fibres, -1.9, -0.9)
        gaps = smoothstep(web - (0.15 + 0.55 * loose), 0.0, 0.28)
        stroma = dense + (gaps * (0.75 + 0.25 * fibres) * 1.15 - dense) * smoothstep(loose, 0.1, 0.75)
        for name, amount in (("muscle", plan.muscle), ("fat", plan.fat)):
            share = _sampled(amount, frame, step) / np.float32(255)
            if share.max() <= 0:
                continue
            if name == "muscle":
                texture = 1.7 * (1 + 0.2 * self._texture("muscle", maps)) * smoothstep(fibres, -2.4, -1.8)
            else:
                texture = 0.9 * smoothstep(-self._texture("fat", maps, 0.8), -2.4, -0.7)
            stroma += share * (texture - stroma)
        if step > 1:
            stroma = cv2.resize(stroma, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.maximum(stroma, 0) * np.float32(lab.matrix), np.float32)

    def _stamp(self, frame: Frame, cells: Cells, kinds: tuple[str, ...]) -> Floats:
        """Nuclei (or red cells) of the given kinds; where two meet the darker shows."""
        plane = np.zeros((frame.height, frame.width), np.float32)
        turns = self.library.turns
        numbers = [KINDS.index(kind) for kind in kinds]
        chosen = np.flatnonzero(np.isin(cells.kind, numbers))
        column = np.rint((cells.x[chosen] - frame.x) / frame.mpp - 0.5).astype(int).tolist()
        row = np.rint((cells.y[chosen] - frame.y) / frame.mpp - 0.5).astype(int).tolist()
        turn = (np.rint(cells.turn[chosen] / np.pi * turns).astype(int) % turns).tolist()
        dice = cells.dice[chosen].tolist()
        kind = cells.kind[chosen].tolist()
        for x, y, t, d, k in zip(column, row, turn, dice, kind, strict=True):
            variants = self.library.stamps[KINDS[k]]
            stamp = variants[d % len(variants)][t]
            half = stamp.shape[0] // 2
            x0, y0, x1, y1 = x - half, y - half, x + half + 1, y + half + 1
            if x1 <= 0 or y1 <= 0 or x0 >= frame.width or y0 >= frame.height:
                continue
            cut_x, cut_y = max(-x0, 0), max(-y0, 0)
            part = stamp[cut_y : frame.height - y0, cut_x : frame.width - x0]
            target = plane[max(y0, 0) : y1, max(x0, 0) : x1]
            np.maximum(target, part, out=target)
        return plane

    def _clip(self, frame: Frame, tissue: Floats) -> None:
        """Nothing lies beyond the rectangle the piece was planned on."""
        place, mpp = self.plan.place, frame.mpp
        tissue[:, : max(0, int(np.ceil(-frame.x / mpp)))] = 0
        tissue[: max(0, int(np.ceil(-frame.y / mpp)))] = 0
        tissue[:, max(0, int((place.width - frame.x) / mpp)) :] = 0
        tissue[max(0, int((place.height - frame.y) / mpp)) :] = 0

    def render(self, left: int, top: int, width: int, height: int) -> Stains:
        """Stain of the slide pixels `left`, `top`, `width`, `height`; zero where the piece is not."""
        frame = self.frame(left, top, width, height)
        plan, lab, spec = self.plan, self.spec.laboratory, self.spec
        grain, mottle, cloud = frame.tile("grain"), frame.tile("mottle"), frame.tile("cloud")
        outline = _sampled(plan.outline, frame, 1) + 0.8 * mottle
        tissue = smoothstep(outline, -0.5, 0.8)
        self._clip(frame, tissue)
        depth = _sampled(plan.epithelium, frame, 1) + 0.7 * mottle
        hollow = _sampled(plan.lumen, frame, 1) + 0.6 * mottle + 0.6 * cloud
        vessel = _sampled(plan.vessel, frame, 1) + 0.5 * mottle
        inside = (depth > 0) & (hollow < 0) & (tissue > 0.3)
        cells = self._cells_near(frame)
        epithelial = cells.pick(np.flatnonzero(cells.kind <= 1))
        owner = cell_map(frame, epithelial, inside)
        membrane, border = membranes(frame, epithelial, owner, 1 - lab.sharpness)
        cytoplasm = smoothstep(depth, -0.5, 0.8) * smoothstep(-hollow, -0.8, 0.5)
        cytoplasm *= tissue
        stroma = self._stroma(frame)
        stroma *= tissue * smoothstep(-vessel, -0.4, 0.8)
        stroma *= 1 + 0.9 * np.exp(-(((vessel + 4) / 4) ** 2))
        nuclei = self._stamp(frame, cells, ("tumour", "normal", "stromal", "lymphocyte", "endothelial"))
        nuclei *= tissue
        body = lab.cytoplasm * (1 + 0.22 * grain + 0.3 * mottle + 0.5 * border)
        in_lumen = smoothstep(hollow, 0.0, 3.0) * tissue
        debris = frame.tile("debris")
        hematoxylin = stroma * (1 - cytoplasm) * (1 - in_lumen) + cytoplasm * body
        covered = np.minimum(nuclei * 2.5, 1)
        hematoxylin *= 1 - 0.7 * covered
        hematoxylin += nuclei * lab.counterstain
        necrosis = _sampled(plan.necrosis, frame, 1) / np.float32(255)
        if necrosis.max() > 0:
            ghost = lab.cytoplasm * (1 + 0.5 * mottle + 0.4 * grain) + 0.25 * lab.counterstain * debris
            hematoxylin += necrosis * (ghost - hematoxylin)
        factor = np.concatenate([[0.0], 0.7 + 0.6 * (epithelial.dice & 0xFF) / 255]).astype(np.float32)
        blush = (lab.blush * 0.5 + spec.blush) * (1 + 0.25 * mottle + 0.2 * cloud) * factor[owner]
        dab = (lab.dab_strength * membrane + blush) * (1 - 0.55 * covered) * cytoplasm
        dab += lab.dab_background * np.minimum(hematoxylin / (lab.matrix + 0.01), 1.5)
        red = self._stamp(frame, cells, ("erythrocyte",))
        grey = 0.22 * red + in_lumen * debris * 0.10
        return Stains(np.maximum(hematoxylin, 0), np.maximum(dab, 0), np.asarray(grey * tissue, np.float32))
