"""What arms need of a slide before anything is learnt: views, bags, patches, measurements; or its tissue."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lowpower.experiments.plan._arms import Arm, FusionArm, MilArm, PatchArm, SlideArm
from lowpower.experiments.plan._experiment import Experiment
from lowpower.stain import Laboratory, Marker
from lowpower.views import LowResRecipe, PatchQC, PatchRecipe

__all__ = ["Need", "needs_of"]


class Need(BaseModel):
    """Something made once a slide and shared by every arm and fold.

    Attributes:
        kind: A view, a bag of features, patches as pixels, or the stain measurement; or the tissue alone,
            whose flags say what is wrong with a slide before anything dear is made of it.
        view: Recipe of a view.
        patches: Recipe of a bag's or the pixels' patches.
        qc: Inspection of patches, None for none.
        encoder: Of a bag.
        weights: The encoder's weight file.
        marker: Of the measurement.
        laboratory: Whose cut-offs measure; the usual ones if None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["view", "bag", "patches", "measure", "tissue"]
    view: LowResRecipe | None = None
    patches: PatchRecipe | None = None
    qc: PatchQC | None = None
    encoder: str | None = None
    weights: str | None = None
    marker: Marker | None = None
    laboratory: Laboratory | None = Field(None, exclude_if=lambda laboratory: laboratory is None)

    @property
    def key(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.kind}-{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]}"


def needs_of(arm: Arm, config: Experiment) -> tuple[Need, ...]:
    """What an arm needs of every slide; of a fusion, what its arms need, each once."""
    if isinstance(arm, FusionArm):
        members = [other for name in arm.of for other in config.arms if other.name == name]
        return tuple(dict.fromkeys(need for member in members for need in needs_of(member, config)))
    if isinstance(arm, SlideArm):
        return (Need(kind="view", view=arm.view),)
    if isinstance(arm, MilArm | PatchArm):
        recipe, qc = _patches(arm, config), PatchQC() if config.patches.inspect else None
        if isinstance(arm, PatchArm):
            return (Need(kind="patches", patches=recipe, qc=qc),)
        return (Need(kind="bag", patches=recipe, qc=qc, encoder=arm.encoder, weights=arm.weights),)
    markers: dict[str, Marker] = {"HER2": "HER2", "ER": "ER", "PR": "PR", "Ki-67": "Ki-67"}
    marker = markers[config.label_scheme.marker]
    return (Need(kind="measure", marker=marker, laboratory=config.own_laboratory),)


def _patches(arm: MilArm | PatchArm, config: Experiment) -> PatchRecipe:
    options = config.patches
    return PatchRecipe(
        mpp=arm.mpp,
        size=arm.size or options.size,
        overlap=options.overlap,
        min_tissue=options.min_tissue,
        max_patches=arm.max_patches or options.max_patches,
        seed=config.seed,
    )
