"""Epithelium before its nuclei: cytoplasm, membranes, blush, necrosis."""

from __future__ import annotations

import numpy as np

from lowpower.simulate._images import blurred
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._stains import Layers
from lowpower.simulate._textures import Floats, ramp, smooth_field
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.stain._ground import Ground
from lowpower.simulate.stain._labels import cell_map, membranes
from lowpower.simulate.tissue import EPITHELIAL, PLAN_UM, Architecture, Cells

__all__ = ["blush_map", "epithelium"]


def _lumps(texture: Floats, frame: Frame, granularity: float) -> Floats:
    """Unevenness of stained cytoplasm: the usual `texture` when fine, granules and holes when coarse."""
    granules = frame.tile("mottle", 9) * np.float32(0.24 * granularity)
    granules += frame.tile("grain", 9) * np.float32(0.24 * granularity)
    granules = np.exp(granules)
    granules -= np.float32(np.exp(0.5 * (0.33 * granularity) ** 2))
    granules += texture
    return np.asarray(np.maximum(granules, -1), np.float32)


def _clefts(frame: Frame, border: Floats, amount: float) -> Floats:
    """Share of cytoplasm left where cells have drawn apart along their borders."""
    wide = blurred(border, 0.9 / frame.mpp) * np.float32(1.6)
    wide *= ramp(frame.tile("cloud", 15), 1.3 - 2.4 * amount, 2.1 - 2.4 * amount)
    return np.asarray(1 - np.clip(wide, 0, 1), np.float32)


def blush_map(spec: SlideSpec, plan: Architecture) -> Floats:
    """Cytoplasmic DAB OD over the plan: it comes and goes over the distances that clones have.

    Were it even, any unevenness of brown would give the score away at low resolution.
    """
    rng = np.random.default_rng([spec.seed, 11])
    shape = (plan.component.shape[0], plan.component.shape[1])
    field = smooth_field(rng, shape, max(spec.clone_um / PLAN_UM, 2.0), 3)
    own = rng.standard_normal(len(plan.walled)).astype(np.float32)[plan.component]
    uneven = np.exp(np.float32(0.6) * field + np.float32(0.4) * own - np.float32(0.26))
    return np.asarray(np.float32(spec.laboratory.blush * 0.5 + spec.blush) * uneven, np.float32)


def epithelium(
    frame: Frame,
    spec: SlideSpec,
    plan: Architecture,
    cells: Cells,
    ground: Ground,
    blush: Floats,
    layers: Layers | None,
) -> tuple[Floats, Floats]:
    """Haematoxylin and DAB of epithelium before nuclei.

    Args:
        frame: The pixels.
        spec: The slide.
        plan: The piece's architecture.
        cells: Cells near the frame.
        ground: From `ground_of`.
        blush: From `blush_map`.
        layers: If given, membranes are drawn into it.

    Returns:
        (height, width) each; ODs.
    """
    lab, traits = spec.laboratory, spec.traits
    mottle, grain = frame.tile("mottle", 8), frame.tile("grain", 8)
    cells = cells.pick(np.flatnonzero(np.isin(cells.kind, EPITHELIAL)))
    owner = cell_map(frame, cells, ground.inside, traits.wobble)
    membrane, border = membranes(frame, cells, owner, lab, traits.basolateral)
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
    if spec.nuclear is not None:
        through = lab.dab_strength * spec.nuclear.leak * cells.nuclear
    inner = (np.append(np.float32(0), through) * uneven).astype(np.float32)
    veil = frame.fine(frame.coarse(blush, 8), 8)
    hematoxylin = texture + np.float32(1)
    hematoxylin += np.float32(0.45) * border
    hematoxylin *= uneven.astype(np.float32)[owner]
    hematoxylin *= np.float32(lab.cytoplasm)
    dab = lumps + np.float32(1)
    dab *= inner[owner] + veil * uneven.astype(np.float32)[owner]
    if traits.gaps > 0:
        apart = _clefts(frame, border, traits.gaps)
        hematoxylin *= apart
        dab *= apart
    dab += np.float32(lab.dab_strength) * membrane
    necrosis = frame.coarse(plan.necrosis)
    if necrosis.max() > 1:
        share = frame.fine(necrosis * np.float32(1 / 255))
        ghost = np.float32(lab.cytoplasm) * (1 + texture * 2)
        ghost += np.float32(0.35 * lab.counterstain) * frame.tile("debris", 2)
        ghost -= hematoxylin
        hematoxylin += ghost * share
        dab += share * (np.float32(2 * lab.blush + traits.necrosis_stain) * (1 + texture) - dab)
    return np.maximum(hematoxylin, 0), np.maximum(dab, 0)
