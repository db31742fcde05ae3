"""Reading a study's YAML: every problem at once, each with the nearest right word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lowpower.errors import ConfigError, wrong_value
from lowpower.experiments.plan._study_config import (
    FusionArm,
    MeasuredArm,
    MilArm,
    PatchArm,
    SlideArm,
    StudyConfig,
)
from lowpower.files import read_yaml
from lowpower.models import check_backbone, create_aggregator, encoder_card, is_weight_path
from lowpower.training import keys_at, nearest_key

__all__ = ["ARM_KINDS", "parse_study", "read_study_config"]

ARM_KINDS: dict[str, type[BaseModel]] = {
    "slide": SlideArm,
    "mil": MilArm,
    "patch": PatchArm,
    "fusion": FusionArm,
    "measured": MeasuredArm,
}


def read_study_config(path: str | Path) -> StudyConfig:
    """Read a study configuration; its relative paths are taken from the file's own folder.

    Raises:
        ConfigError: naming the file and every problem: no YAML, unknown key, arm or encoder (with the
            nearest), wrong value.
    """
    return parse_study(read_yaml(path), source=str(path), folder=Path(path).parent)


def parse_study(content: dict[str, Any], *, source: str = "study", folder: Path | None = None) -> StudyConfig:
    """Check a study's content; `source` begins each error sentence, `folder` anchors relative paths.

    Raises:
        ConfigError: with every problem.
    """
    try:
        config = StudyConfig.model_validate(content)
    except ValidationError as error:
        items = error.errors()
        # Arms that are wrong are left out, and then there are too few: said once.
        wrong_arms = any(len(item["loc"]) > 1 and item["loc"][0] == "arms" for item in items)
        items = [item for item in items if not (wrong_arms and item["loc"] == ("arms",))]
        problems = [_sentence(item) for item in items]
        raise ConfigError(f"{source}: {' '.join(problems)}") from error
    _check_names(config, source)
    for arm in config.arms:
        _check_arm(arm, len(config.label_scheme.classes), source)
    return config if folder is None else _anchored(config, folder)


def _check_names(config: StudyConfig, source: str) -> None:
    names = [arm.name for arm in config.arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{source}: two arms are called {name!r}; give each a name of its own.")
        if not all(letter.isalnum() or letter in "._@+-" for letter in name) or name.startswith("."):
            raise ConfigError(
                f"{source}: arm name {name!r} may hold letters, digits and . _ @ + - only; it names a folder."
            )
    if config.reference is not None and config.reference not in names:
        raise ConfigError(
            f"{source}: reference {config.reference!r} is no arm of this study; "
            f"{nearest_key(config.reference, names)}"
        )
    kinds = {arm.name: arm.paradigm for arm in config.arms}
    for arm in config.arms:
        if not isinstance(arm, FusionArm):
            continue
        others = [name for name in names if kinds[name] != "fusion"]
        for member in arm.of:
            if member not in others:
                what = "is itself a fusion" if member in names else "is no arm of this study"
                raise ConfigError(
                    f"{source}: arm {arm.name!r} fuses {member!r}, which {what}; "
                    f"{nearest_key(member, others)}"
                )
        if len(set(arm.of)) < len(arm.of):
            raise ConfigError(f"{source}: arm {arm.name!r} names an arm twice; name each once.")


def _check_arm(arm: BaseModel, classes: int, source: str) -> None:
    """What only the registries know: backbones, encoders, aggregators with their options and heads."""
    try:
        if isinstance(arm, SlideArm | PatchArm):
            check_backbone(arm.model.backbone)
        if isinstance(arm, MilArm):
            _known_encoder(arm.encoder)
            create_aggregator(arm.aggregator, 8, classes, arm.head, **arm.options)
    except ConfigError as error:
        name = getattr(arm, "name", "")
        raise ConfigError(f"{source}: arm {name!r}: {error}") from error


def _known_encoder(name: str) -> None:
    if Path(name).suffix in (".pt", ".ts", ".torchscript"):
        return
    try:
        encoder_card(name)
    except ConfigError:
        import timm

        if not timm.is_model(name.split(".")[0]):
            raise


def _anchored(config: StudyConfig, folder: Path) -> StudyConfig:
    """The configuration with paths taken from `folder`."""
    update: dict[str, Any] = {
        key: (folder / value).resolve()
        for key in ("cohort", "out", "cache")
        if (value := getattr(config, key)) is not None
    }
    arms = []
    for arm in config.arms:
        given = getattr(arm, "pretrained", None)
        if given and is_weight_path(given):
            arm = arm.model_copy(update={"pretrained": str(folder / given)})
        if isinstance(arm, MilArm):
            weights = arm.weights
            if weights and weights != "random":
                arm = arm.model_copy(update={"weights": str(folder / weights)})
            if Path(arm.encoder).suffix in (".pt", ".ts", ".torchscript"):
                arm = arm.model_copy(update={"encoder": str(folder / arm.encoder)})
        arms.append(arm)
    return config.model_copy(update=update | {"arms": tuple(arms)})


def _sentence(problem: ErrorDetails) -> str:
    place, kind, given = problem["loc"], problem["type"], problem["input"]
    name = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"unknown key {name}; {nearest_key(str(place[-1]), _keys_at(place[:-1]))}"
    if kind == "missing":
        return f"{name} is missing."
    if kind == "union_tag_invalid":
        paradigm = str(given.get("paradigm")) if isinstance(given, dict) else str(given)
        return f"{name}: paradigm {paradigm!r} is unknown; {nearest_key(paradigm, tuple(ARM_KINDS))}"
    if kind == "union_tag_not_found":
        return f"{name}: says no paradigm ({', '.join(ARM_KINDS)})."
    return f"{wrong_value(name, problem)}."


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at `place`."""
    if place[:1] == ("arms",):  # ("arms", number, paradigm, ...)
        return keys_at(ARM_KINDS[str(place[2])], place[3:])
    return keys_at(StudyConfig, place)
