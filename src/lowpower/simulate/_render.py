"""From plan and cells to stain: amounts of haematoxylin, DAB and colourless refraction, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._architecture import Architecture
from lowpower.simulate._cells import Cells
from lowpower.simulate._frame import Frame
from lowpower.simulate._images import blurred
from lowpower.simulate._labels import cell_map, membranes
from lowpower.simulate._layout import PLAN_UM
from lowpower.simulate._nuclear_stain import chromogen
from lowpower.simulate._nuclei import KINDS, NucleusLibrary, nucleus_library
from lowpower.simulate._spec import SlideSpec
from lowpower.simulate._stains import Layers, Stains
from lowpower.simulate._stroma import stroma
from lowpower.simulate._textures import Floats, ramp, smooth_field

__all__ = ["Piece"]

_REACH_UM = 40.0
"""Cells this far outside a frame may still show in it."""
_NUCLEAR = 0.95
"""OD of the DAB in the strongest nuclei of a laboratory of strength 1."""
_MASKED = 0.45
"""Haematoxylin that dense DAB in a nucleus hides or keeps out."""
_NUCLEATED = tuple(kind for kind in KINDS if kind != "erythrocyte")


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is where in a frame, 0..1 unless said otherwise."""

    tissue: Floats
    epithelium: Floats
    lumen: Floats | None
    depth: Floats
    """Microns into the epithelium."""
    outline: Floats
    """Microns into the tissue."""
    inside: NDArray[np.bool_]
    """Whether a cell of epithelium owns the pixel."""


def _lumps(texture: Floats, frame: Frame, granularity: float) -> Floats:
    """Unevenness of stained cytoplasm: the usual `texture` when fine, granules and holes when coarse."""
    granules = np.exp(frame.tile("mottle", 9) * np.float32(0.33 * granularity))
    granules -= np.float32(np.exp(0.5 * (0.33 * granularity) ** 2))
    granules += texture
    return np.asarray(np.maximum(granules, -1), np.float32)


def _blush_map(spec: SlideSpec, plan: Architecture) -> Floats:
    """Cytoplasmic DAB OD over the plan: it comes and goes over the distances that clones have.

    Were it even, any unevenness of brown would give the score away at low resolution.
    """
    rng = np.random.default_rng([spec.seed, 11])
    shape = (plan.component.shape[0], plan.component.shape[1])
    field = smooth_field(rng, shape, max(spec.clone_um / PLAN_UM, 2.0), 3)
    own = rng.standard_normal(len(plan.walled)).astype(np.float32)[plan.component]
    uneven = np.exp(np.float32(0.6) * field + np.float32(0.4) * own - np.float32(0.26))
    return np.asarray(np.float32(spec.laboratory.blush * 0.5 + spec.blush) * uneven, np.float32)


class Piece:
    """One piece of tissue, ready to be rendered anywhere.

    Args:
        spec: The slide.
        plan: The piece's architecture.
        cells: Its cells, stained.
    """

    def __init__(self, spec: SlideSpec, plan: Architecture, cells: Cells) -> None:
        self.spec, self.plan = spec, plan
        self.cells = cells.pick(np.argsort(cells.y, kind="stable"))
        self.library: NucleusLibrary = nucleus_library(
            spec.nucleus_um, spec.scanner.mpp, spec.seed % 16, spec.rim, spec.chromatin, spec.pleomorphism
        )
        chance = np.random.default_rng([spec.seed, 7]).random((2, len(plan.walled))).astype(np.float32)
        self.blush = _blush_map(spec, plan)
        self.debris = np.maximum(chance[0] * 1.7 - 0.7, 0) * 0.5
        self.secretion = np.maximum(chance[1] - 0.8, 0) * 3.0

    def near(self, left: int, top: int, width: int, height: int) -> bool:
        """Whether any tissue may show in these slide pixels."""
        frame, place = self.frame(left, top, width, height), self.plan.place
        right, bottom = frame.x + width * frame.mpp, frame.y + height * frame.mpp
        if frame.x > place.width or frame.y > place.height or right < 0 or bottom < 0:
            return False
        x0, y0 = max(int(frame.x / PLAN_UM) - 3, 0), max(int(frame.y / PLAN_UM) - 3, 0)
        window = self.plan.outline[y0 : int(bottom / PLAN_UM) + 4, x0 : int(right / PLAN_UM) + 4]
        return bool((window > -4).any())

    def frame(self, left: int, top: int, width: int, height: int) -> Frame:
        """Slide pixels as a frame of this piece."""
        mpp, place = self.spec.scanner.mpp, self.plan.place
        return Frame(left * mpp - place.x, top * mpp - place.y, width, height, mpp, left, top)

    def _cells_near(self, frame: Frame) -> Cells:
        low = np.searchsorted(self.cells.y, frame.y - _REACH_UM)
        high = np.searchsorted(self.cells.y, frame.y + frame.height * frame.mpp + _REACH_UM)
        x = self.cells.x[low:high]
        inside = (x > frame.x - _REACH_UM) & (x < frame.x + frame.width * frame.mpp + _REACH_UM)
        return self.cells.pick(np.flatnonzero(inside) + low)

    def _stamped(
        self, frame: Frame, cells: Cells, kinds: tuple[str, ...], library: NucleusLibrary | None = None
    ) -> Floats | None:
        """Nuclei (or red cells) of the given kinds; where two meet the darker shows.

        With a `library` of DAB each nucleus holds its own amount of it.
        """
        stamps = self.library.stamps if library is None else library.stamps
        chosen = np.flatnonzero(np.isin(cells.kind, [KINDS.index(kind) for kind in kinds]))
        if len(chosen) == 0:
            return None
        plane = np.zeros((frame.height, frame.width), np.float32)
        turns, stacking = self.library.turns, np.float32(self.spec.stacking)
        column = np.rint((cells.x[chosen] - frame.x) / frame.mpp - 0.5).astype(int).tolist()
        row = np.rint((cells.y[chosen] - frame.y) / frame.mpp - 0.5).astype(int).tolist()
        turn = (np.rint(cells.turn[chosen] / np.pi * turns).astype(int) % turns).tolist()
        dice = cells.dice[chosen].tolist()
        tall = cells.columnar[chosen] & (cells.half[chosen] > 7)
        looks = [KINDS[kind] for kind in cells.kind[chosen]]
        looks = ["columnar" if tall else look for look, tall in zip(looks, tall, strict=True)]
        amounts = cells.nuclear[chosen].tolist()
        for x, y, t, d, look, amount in zip(column, row, turn, dice, looks, amounts, strict=True):
            variants = stamps[look]
            stamp = variants[d % len(variants)][t]
            half = stamp.shape[0] // 2
            x0, y0, x1, y1 = x - half, y - half, x + half + 1, y + half + 1
            if x1 <= 0 or y1 <= 0 or x0 >= frame.width or y0 >= frame.height:
                continue
            part = stamp[max(-y0, 0) : frame.height - y0, max(-x0, 0) : frame.width - x0]
            if library is not None:
                part = part * np.float32(amount)
            target = plane[max(y0, 0) : y1, max(x0, 0) : x1]
            shared = np.minimum(target, part) * stacking if stacking else None
            np.maximum(target, part, out=target)
            if shared is not None:
                target += shared
        return plane

    def _ground(self, frame: Frame) -> _Ground:
        plan, mottle = self.plan, frame.tile("mottle")
        outline = frame.fine(frame.coarse(plan.outline)) + mottle * np.float32(0.8)
        tissue = ramp(outline, -0.5, 0.9)
        self._clip(frame, tissue)
        depth = frame.fine(frame.coarse(plan.epithelium)) + mottle * np.float32(0.6)
        epithelium = ramp(depth, -0.4, 0.7)
        lumen = None
        hollow = frame.coarse(plan.lumen)
        inside = depth > 0
        if hollow.max() > -4:
            hollow = frame.fine(hollow) + mottle * np.float32(0.5)
            hollow += frame.tile("cloud") * np.float32(0.7)
            inside &= hollow < 0
            epithelium *= ramp(-hollow, -0.7, 0.5)
            lumen = ramp(hollow, -0.3, 0.8)
            lumen *= tissue
        epithelium *= tissue
        inside &= tissue > 0.3
        return _Ground(tissue, epithelium, lumen, depth, outline, inside)

    def _clip(self, frame: Frame, tissue: Floats) -> None:
        """Nothing lies beyond the rectangle the piece was planned on."""
        place, mpp = self.plan.place, frame.mpp
        tissue[:, : max(0, int(np.ceil(-frame.x / mpp)))] = 0
        tissue[: max(0, int(np.ceil(-frame.y / mpp)))] = 0
        tissue[:, max(0, int((place.width - frame.x) / mpp)) :] = 0
        tissue[max(0, int((place.height - frame.y) / mpp)) :] = 0

    def _of_component(self, frame: Frame, values: Floats) -> Floats:
        """(height, width) of a number per epithelial structure."""
        component = frame.coarse(self.plan.component)
        return frame.fine(values[np.rint(component).astype(np.intp)])

    def _epithelium(
        self, frame: Frame, cells: Cells, ground: _Ground, layers: Layers | None
    ) -> tuple[Floats, Floats]:
        """Haematoxylin and DAB of epithelium before nuclei."""
        lab, mottle, grain = self.spec.laboratory, frame.tile("mottle", 8), frame.tile("grain", 8)
        cells = cells.pick(np.flatnonzero(cells.kind <= 1))
        owner = cell_map(frame, cells, ground.inside)
        membrane, border = membranes(frame, cells, owner, lab)
        if layers is not None:
            brown = np.float32(lab.dab_strength) * membrane
            np.maximum(layers.membrane, brown, out=layers.membrane)
        texture = mottle * np.float32(0.32)
        texture += grain * np.float32(0.2)
        lumps = texture if lab.granularity == 1 else _lumps(texture, frame, lab.granularity)
        uneven = np.append(
            np.float32(1), np.float32(0.7) + np.float32(0.6 / 255) * (cells.dice & np.uint32(0xFF))
        )
        # Strongly stained cells are brown inside too, with membrane above and below the plane of focus.
        through = lab.dab_strength * lab.through * cells.intensity**2 * cells.completeness
        if self.spec.nuclear is not None:
            through = lab.dab_strength * self.spec.nuclear.leak * cells.nuclear
        inner = (np.append(np.float32(0), through) * uneven).astype(np.float32)
        blush = frame.fine(frame.coarse(self.blush, 8), 8)
        hematoxylin = texture + np.float32(1)
        hematoxylin += np.float32(0.45) * border
        hematoxylin *= uneven.astype(np.float32)[owner]
        hematoxylin *= np.float32(lab.cytoplasm)
        dab = lumps + np.float32(1)
        dab *= inner[owner] + blush * uneven.astype(np.float32)[owner]
        dab += np.float32(lab.dab_strength) * membrane
        necrosis = frame.coarse(self.plan.necrosis)
        if necrosis.max() > 1:
            share = frame.fine(necrosis * np.float32(1 / 255))
            ghost = np.float32(lab.cytoplasm) * (1 + texture * 2)
            ghost += np.float32(0.35 * lab.counterstain) * frame.tile("debris", 2)
            ghost -= hematoxylin
            hematoxylin += ghost * share
            dab += share * (np.float32(2 * lab.blush) * (1 + texture) - dab)
        return np.maximum(hematoxylin, 0), np.maximum(dab, 0)

    def _brown_nuclei(self, frame: Frame, cells: Cells, hematoxylin: Floats, dab: Floats) -> None:
        """Add a nuclear marker's DAB, in place."""
        spec = self.spec
        stained = cells.pick(cells.nuclear > 0)
        brown = self._stamped(frame, stained, ("tumour", "normal"), chromogen(self.library))
        if brown is None:
            return
        # DAB comes in grains; laboratories differ less in nuclei than in membranes.
        brown *= np.float32(spec.laboratory.nuclear_dab or _NUCLEAR * spec.laboratory.dab_strength**0.5)
        hematoxylin *= 1 - np.float32(_MASKED) * np.minimum(brown, 1)
        grains = frame.tile("grain", 13) * np.float32(0.1)
        grains += np.float32(1)
        brown *= grains
        dab += brown

    def _refracted(self, frame: Frame, hematoxylin: Floats) -> Floats:
        """Light bent at edges of whatever has substance: darker within, brighter than glass outside."""
        relief = blurred(hematoxylin, 0.8 / frame.mpp)
        np.subtract(hematoxylin, relief, out=relief)
        relief *= np.float32(self.spec.laboratory.relief)
        return np.clip(relief, -0.06, 0.3, out=relief)

    def render(self, left: int, top: int, width: int, height: int, layers: Layers | None = None) -> Stains:
        """Stain of the slide pixels `left`, `top`, `width`, `height`; zero where the piece is not.

        Args:
            left: Left edge, slide pixels.
            top: Top edge, slide pixels.
            width: Slide pixels.
            height: Slide pixels.
            layers: If given, this piece's nuclei and membranes are drawn into it.
        """
        frame = self.frame(left, top, width, height)
        lab, spec = self.spec.laboratory, self.spec
        ground = self._ground(frame)
        cells = self._cells_near(frame)
        hematoxylin = stroma(frame, self.plan)
        hematoxylin *= np.float32(lab.matrix)
        if spec.retraction > 0:
            gap = np.float32(spec.retraction) * (frame.tile("cloud", 10) + np.float32(0.3))
            hematoxylin *= ramp(-ground.depth - gap, 0.0, 0.8)
        dab = np.float32(lab.dab_background / (lab.matrix + 0.01)) * hematoxylin
        if ground.epithelium.max() > 0:
            inner, brown = self._epithelium(frame, cells, ground, layers)
            hematoxylin += ground.epithelium * (inner - hematoxylin)
            dab += ground.epithelium * (brown - dab)
        grey = np.zeros_like(dab)
        if ground.lumen is not None:
            hematoxylin += ground.lumen * (
                self._of_component(frame, self.secretion) * np.float32(lab.matrix) - hematoxylin
            )
            dab *= 1 - ground.lumen
            grey += ground.lumen * self._of_component(frame, self.debris) * frame.tile("debris", 3)
        nuclei = self._stamped(frame, cells, _NUCLEATED)
        if nuclei is not None:
            if layers is not None:
                np.maximum(layers.nuclei, nuclei, out=layers.nuclei)
            covered = np.minimum(nuclei * np.float32(2.2), 1)
            hematoxylin *= 1 - np.float32(0.6) * covered
            dab *= 1 - np.float32(0.5) * covered
            hematoxylin += nuclei * np.float32(lab.counterstain)
        if spec.nuclear is not None:
            self._brown_nuclei(frame, cells, hematoxylin, dab)
        red = self._stamped(frame, cells, ("erythrocyte",))
        if red is not None:
            grey += red * np.float32(0.36)
        if "edge" in spec.artefacts and ground.outline.min() < 30:
            # Antibody and chromogen pool at the edges of tissue, whatever is there.
            rim = np.exp(-np.maximum(ground.outline, 0) / (6 + 3 * frame.tile("cloud", 11)).clip(2))
            rim *= (0.5 + frame.tile("cloud", 12)).clip(0)
            dab += rim * np.minimum(hematoxylin * np.float32(4 * lab.dab_strength), np.float32(0.7))
        thick = frame.coarse(self.plan.flow, 8)[..., 0]
        thick = ground.tissue * frame.fine(1 + np.float32(0.12) * np.tanh(thick / 60), 8)
        grey *= ground.tissue
        hematoxylin *= thick
        if lab.relief > 0:
            grey += self._refracted(frame, hematoxylin)
        return Stains(np.maximum(hematoxylin, 0), np.maximum(dab * thick, 0), grey)
