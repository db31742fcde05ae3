"""From plan and cells to stain: amounts of haematoxylin, DAB and colourless refraction, frame by frame."""

from __future__ import annotations

import numpy as np

from lowpower.simulate._images import blurred
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._stains import Layers, Stains
from lowpower.simulate._textures import Floats, ramp, smooth_field
from lowpower.simulate.stain._cytoplasm import blush_map, epithelium
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.stain._ground import ground_of
from lowpower.simulate.stain._nuclear_stain import chromogen
from lowpower.simulate.stain._stamping import stamped
from lowpower.simulate.stain._stroma import stroma
from lowpower.simulate.tissue import KINDS, PLAN_UM, Architecture, Cells, NucleusLibrary, nucleus_library

__all__ = ["Piece"]

_REACH_UM = 40.0
"""Cells this far outside a frame may still show in it."""
_NUCLEAR = 0.95
"""OD of the DAB in the strongest nuclei of a laboratory of strength 1."""
_MASKED = 0.45
"""Haematoxylin that dense DAB in a nucleus hides or keeps out."""
_NUCLEATED = tuple(kind for kind in KINDS if kind != "erythrocyte")
_STAINABLE = ("tumour", "normal", "in-situ", "crushed")


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
        around = np.random.default_rng([spec.seed, 13])
        self.stained = smooth_field(around, plan.outline.shape, 220 / PLAN_UM, 2)
        self.blush = blush_map(spec, plan)
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

    def _of_component(self, frame: Frame, values: Floats) -> Floats:
        """(height, width) of a number per epithelial structure."""
        component = frame.coarse(self.plan.component)
        return frame.fine(values[np.rint(component).astype(np.intp)])

    def _brown_nuclei(self, frame: Frame, cells: Cells, hematoxylin: Floats, dab: Floats) -> None:
        """Add a nuclear marker's DAB, in place."""
        spec = self.spec
        stained = cells.pick(cells.nuclear > 0)
        library = chromogen(self.library)
        brown = stamped(frame, stained, _STAINABLE, library, spec.stacking, by_amount=True)
        if brown is None:
            return
        # DAB comes in grains; laboratories differ less in nuclei than in membranes.
        brown *= np.float32(spec.laboratory.nuclear_dab or _NUCLEAR * spec.laboratory.dab_strength**0.5)
        hematoxylin *= 1 - np.float32(_MASKED) * np.minimum(brown, 1)
        grains = frame.tile("grain", 13) * np.float32(0.1)
        grains += np.float32(1)
        brown *= grains
        dab += brown

    def _stained_stroma(self, frame: Frame, relative: Floats) -> Floats | None:
        """DAB that collagen, muscle and vessel walls hold, in patches."""
        if self.spec.traits.stroma_stain == 0:
            return None
        brown = relative * np.float32(self.spec.traits.stroma_stain)
        brown *= ramp(frame.fine(frame.coarse(self.stained, 8), 8), -0.6, 0.8)
        return brown

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
        ground = ground_of(frame, self.plan)
        cells = self._cells_near(frame)
        hematoxylin = stroma(frame, self.plan)
        brown_stroma = self._stained_stroma(frame, hematoxylin)
        hematoxylin *= np.float32(lab.matrix)
        if spec.retraction > 0:
            gap = np.float32(spec.retraction) * (frame.tile("cloud", 10) + np.float32(0.3))
            hematoxylin *= ramp(-ground.depth - gap, 0.0, 0.8)
        dab = np.float32(lab.dab_background / (lab.matrix + 0.01)) * hematoxylin
        if brown_stroma is not None:
            dab += brown_stroma
        if ground.epithelium.max() > 0:
            inner, brown = epithelium(frame, spec, self.plan, cells, ground, self.blush, layers)
            hematoxylin += ground.epithelium * (inner - hematoxylin)
            dab += ground.epithelium * (brown - dab)
        grey = np.zeros_like(dab)
        if ground.lumen is not None:
            hematoxylin += ground.lumen * (
                self._of_component(frame, self.secretion) * np.float32(lab.matrix) - hematoxylin
            )
            dab *= 1 - ground.lumen
            debris = ground.lumen * self._of_component(frame, self.debris) * frame.tile("debris", 3)
            grey += debris
            if spec.traits.necrosis_stain > 0:
                dab += debris * np.float32(4 * spec.traits.necrosis_stain)
        nuclei = stamped(frame, cells, _NUCLEATED, self.library, spec.stacking)
        if nuclei is not None:
            if layers is not None:
                np.maximum(layers.nuclei, nuclei, out=layers.nuclei)
            covered = np.minimum(nuclei * np.float32(2.2), 1)
            hematoxylin *= 1 - np.float32(0.6) * covered
            dab *= 1 - np.float32(0.5) * covered
            hematoxylin += nuclei * np.float32(lab.counterstain)
        if spec.nuclear is not None:
            self._brown_nuclei(frame, cells, hematoxylin, dab)
        red = stamped(frame, cells, ("erythrocyte",), self.library, spec.stacking)
        if red is not None:
            grey += red * np.float32(0.36)
        if "edge" in spec.artefacts and ground.outline.min() < 30:
            # Antibody and chromogen pool at the edges of tissue, whatever is there.
            rim = np.exp(-np.maximum(ground.outline, 0) / (6 + 3 * frame.tile("cloud", 11)).clip(2))
            rim *= (0.5 + frame.tile("cloud", 12)).clip(0)
            dab += rim * np.minimum(hematoxylin * np.float32(4 * lab.dab_strength), np.float32(0.7))
        thick = frame.coarse(self.plan.flow, 8)[..., 0]
        thick = ground.tissue * frame.fine(1 + np.float32(0.12) * np.tanh(thick / 60), 8)
        if lab.veil > 0:
            dab += np.float32(lab.veil) * ground.tissue
        if lab.soot > 0:
            grey += np.float32(lab.soot) * dab * dab
        grey *= ground.tissue
        hematoxylin *= thick
        if lab.relief > 0:
            grey += self._refracted(frame, hematoxylin)
        return Stains(np.maximum(hematoxylin, 0), np.maximum(dab * thick, 0), grey)
