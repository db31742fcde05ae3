"""What kind of model a bundle holds, and all that is needed to build it again, weights apart."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lowpower.models._fusion import FusionName, HistogramFusion
from lowpower.models._share_regression import ShareRegression
from lowpower.models.encoders import EncoderRef
from lowpower.models.network import HeadName, ModelSpec
from lowpower.views import LowResRecipe, PatchQC, PatchRecipe

__all__ = ["Blueprint", "Kind", "LateFusion", "MeasuredModel", "MilModel", "PatchModel"]

Kind = Literal["slide_network", "mil", "patch_fusion", "measured", "late_fusion"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MilModel(_Section):
    """An aggregator over a frozen encoder's patch features."""

    encoder: EncoderRef
    aggregator: str
    options: dict[str, float] = Field(default_factory=dict, description="What the aggregator takes besides.")
    head: HeadName = "corn"
    patches: PatchRecipe
    qc: PatchQC | None = Field(None, description="Inspection of patches; none inspects nothing.")


class PatchModel(_Section):
    """How patches are cut for a patch network, and how its decisions become one."""

    patches: PatchRecipe
    qc: PatchQC | None = None
    fusion: FusionName | Literal["histogram"] = "mean"
    top: float = Field(0.1, gt=0, le=1)
    histogram: HistogramFusion | None = Field(None, description="Of the fusion `histogram`.")

    @model_validator(mode="after")
    def _fitted(self) -> Self:
        if (self.fusion == "histogram") != (self.histogram is not None):
            raise ValueError("a histogram belongs to the fusion 'histogram', and to no other")
        return self


class MeasuredModel(_Section):
    """The stain as measured by rule, and what turns it into probabilities."""

    regression: ShareRegression
    cell_network: str = Field(description="SHA-256 of the network that found the cells it was fitted on.")


class LateFusion(_Section):
    """A weighted mean of other models' calibrated probabilities."""

    of: Literal["arms", "folds"] = Field("arms", description="Different arms, or one arm's folds.")
    members: tuple[str, ...] = Field(min_length=2, description="Folders of bundles, in `members/`.")
    weights: tuple[float, ...]
    sha256: tuple[str, ...] = Field(description="Of each member's weights.")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if not len(self.weights) == len(self.sha256) == len(self.members) or min(self.weights) < 0:
            raise ValueError("a late fusion needs one weight and one hash a member, no weight below 0")
        if abs(sum(self.weights) - 1) > 1e-6:
            raise ValueError(f"weights of a late fusion sum to 1, not {sum(self.weights):g}")
        return self


_SECTIONS: dict[str, frozenset[str]] = {
    "slide_network": frozenset({"architecture", "recipe"}),
    "mil": frozenset({"mil"}),
    "patch_fusion": frozenset({"architecture", "patch_fusion"}),
    "measured": frozenset({"measured"}),
    "late_fusion": frozenset({"late_fusion"}),
}
_ALL: frozenset[str] = frozenset().union(*_SECTIONS.values())


class Blueprint(_Section):
    """The kind, and the sections that belong to it; a kind that is not said is the slide network."""

    kind: Kind = "slide_network"
    architecture: ModelSpec | None = Field(None, description="Slide or patch network.")
    recipe: LowResRecipe | None = Field(None, description="The slide network's view.")
    mil: MilModel | None = None
    patch_fusion: PatchModel | None = None
    measured: MeasuredModel | None = None
    late_fusion: LateFusion | None = None

    @model_validator(mode="after")
    def _sections(self) -> Self:
        there = {name for name in _ALL if getattr(self, name) is not None}
        wanted = _SECTIONS[self.kind]
        if there != wanted:
            wrong = sorted(there ^ wanted)[0]
            what = "is missing" if wrong in wanted else "does not belong to it"
            raise ValueError(f"a model of kind {self.kind} holds {', '.join(sorted(wanted))}; {wrong} {what}")
        return self

    @property
    def has_weights(self) -> bool:
        """Whether there is a file of weights; a measured model and a fusion are numbers in bundle.json."""
        return self.kind not in ("measured", "late_fusion")

    @property
    def numbers_sha256(self) -> str:
        """SHA-256 that stands in for one of weights where there are none."""
        section = self.measured if self.kind == "measured" else self.late_fusion
        return hashlib.sha256((section.model_dump_json() if section else "").encode()).hexdigest()
