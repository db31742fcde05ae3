"""The configuration of every experiment, be it one network or a study of many arms: one set of defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lowpower.cohort import IshUnknown, LabelScheme, scheme_of
from lowpower.errors import CohortError
from lowpower.experiments.plan._arms import Arm
from lowpower.stain import Laboratory
from lowpower.training import Section, TrainerOptions

__all__ = ["BundleOptions", "Experiment"]


class FoldOptions(Section):
    """Nested folds: whole patients, outer test, inner validation; all of them or some."""

    file: Path | None = Field(None, description="Saved folds to use instead of making them.")
    outer: int = Field(5, ge=2, description="Number of outer folds.")
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="Share of the remaining patients that validates."
    )
    leave_out: Literal["site", "scanner"] | None = Field(
        None, description="Hold out one value of this column a fold instead of drawing patients."
    )
    seed: int = Field(0, ge=0, description="Seed of the draw.")
    only: tuple[int, ...] | None = Field(
        None, min_length=1, description="Run these folds alone, counted from 0; by default all."
    )


class BundleOptions(Section):
    """What a bundle of an arm is to say of itself, and what its answers promise."""

    version: str = Field("1", description="Version of the model.")
    description: str = Field("", description="One or two sentences for the model card.")
    trained_on: str = Field("", description="One line on the cohort; by default its file name and size.")
    licence: str = Field("Apache-2.0", description="Licence of the weights.")
    weights_dtype: Literal["float32", "float16"] = Field(
        "float32", description="Weights as they were validated, or rounded: half the size."
    )
    slide_mpp_range: tuple[float, float] | None = Field(
        None,
        description="um/px of slides that the model may be used on; others are refused. By default half to "
        "double that of the slides it learnt from.",
    )
    error: float = Field(0.1, gt=0, lt=1, description="Share of issued scores that may be wrong.")
    cutoff_error: float = Field(0.05, gt=0, lt=1, description="Share of yes and no at a cut-off, likewise.")
    confidence: float = Field(0.9, gt=0, lt=1, description="Probability with which these rates hold.")
    calibrate_on: Literal["auto", "validation", "folds"] = Field(
        "auto",
        description="validation; folds: four more networks predict all training and validation slides; "
        "auto: folds where one fold alone is run, on fewer than 60 validation slides and with 8 patients of "
        "every class.",
    )
    measured: bool = Field(
        True, description="Measure the validation slides and let the measurement take part in the answer."
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


class Experiment(Section):
    """Everything a study, or the training of one network, depends on.

    Paths are relative to the file they are written in.
    """

    schema_version: Literal[1] = 1
    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Its name.")
    cohort: Path = Field(description="The manifest.")
    scheme: str = Field("her2_four", description="Label scheme.")
    out: Path | None = Field(None, description="Its folder; by default studies/<name>.")
    cache: Path | None = Field(
        None, description="Folder of views, features and patches; by default <out>/cache."
    )
    seed: int = Field(0, ge=0, description="Seed of weights, sampling and augmentation.")
    ish_unknown: IshUnknown = Field(
        "low",
        description="2+ without ISH, where the class depends on it: low, or exclude from training and test.",
    )
    doubtful_control: float = Field(
        0.0, ge=0, le=1, description="Share of slides with doubtful control tissue that is learnt from."
    )
    threads: int | None = Field(
        1,
        ge=1,
        description="Processor threads a unit computes with, null for all there are; another number may "
        "change last digits.",
    )
    trainer: TrainerOptions = Field(TrainerOptions(), description="Lightning's own flags.")
    laboratory: Laboratory | Path | None = Field(
        None,
        exclude_if=lambda laboratory: laboratory is None,
        description="File of `lowpower calibrate`: its cut-offs measure the stain, in measured arms, for "
        "`teacher: measured` and where bundles answer with the measurement; by default the usual ones.",
    )
    coverage: float = Field(
        0.9, gt=0, lt=1, description="Conformal abstention: share of sets that hold the truth."
    )
    bundle: BundleOptions = Field(BundleOptions(), description="The model card, and what answers promise.")
    notes: tuple[str, ...] = Field((), description="Sentences that the report repeats.")
    folds: FoldOptions = Field(FoldOptions(), description="Which slides train, validate and test.")
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
        if not isinstance(content, dict):
            return content
        if "accelerator" in content:  # its place until the trainer had a section of its own
            content = dict(content)
            trainer = content.setdefault("trainer", {})
            content["trainer"] = {"accelerator": content.pop("accelerator"), **trainer}
        if not isinstance(content.get("arms"), list | tuple):
            return content
        arms = [arm for entry in content["arms"] for arm in _expanded(entry)]
        return content | {"arms": [one for arm in arms for one in _seeded(arm)]}

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, scheme: str) -> str:
        try:
            return scheme_of(scheme).name
        except CohortError as error:
            raise ValueError(str(error).rstrip(".")) from error

    @property
    def label_scheme(self) -> LabelScheme:
        """The scheme itself, as everything past the configuration takes it."""
        return scheme_of(self.scheme)

    @property
    def own_laboratory(self) -> Laboratory | None:
        """Whose cut-offs measure; of a configuration that is at work, whose file was read."""
        return self.laboratory if isinstance(self.laboratory, Laboratory) else None

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return self.out if self.out is not None else Path("studies") / self.name

    def at(self, folder: Path) -> Experiment:
        """The same where it lies now: a folder that was moved took its cache along, if that was in it."""
        inside = self.cache is None or self.cache == self.folder / "cache"
        here = folder.resolve()
        return self.model_copy(update={"out": here} | ({"cache": here / "cache"} if inside else {}))

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
    if mpp is None and paradigm == "slide":
        view = entry.get("view")
        mpp = view.get("mpp", 8.0) if isinstance(view, dict) else 8.0
    elif mpp is None:
        mpp = 0.5
    return _named(paradigm, mpp) or paradigm
