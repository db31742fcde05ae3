"""Reading an experiment's YAML: every problem at once, each with the nearest right word."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lowpower.errors import ConfigError, address_of, wrong_value
from lowpower.experiments.plan._arms import FusionArm, MeasuredArm, MilArm, PatchArm, SlideArm
from lowpower.experiments.plan._experiment import Experiment
from lowpower.files import read_yaml
from lowpower.storage import from_folder

__all__ = ["ARM_KINDS", "absolute", "nearest_key", "parse_experiment", "read_experiment", "read_keys"]

ARM_KINDS: dict[str, type[BaseModel]] = {
    "slide": SlideArm,
    "mil": MilArm,
    "patch": PatchArm,
    "fusion": FusionArm,
    "measured": MeasuredArm,
}
_OF_THE_ARM: Final = ("pretrained", "teacher", "view", "model", "augmentation", "fitting")
"""Keys of a slide network that stand beside the experiment's where a file names no arms."""


def read_experiment(path: str | Path) -> Experiment:
    """Read a configuration; its relative paths are taken from the file's own folder.

    Raises:
        ConfigError: naming the file and every problem: no YAML, unknown key, arm or encoder (with the
            nearest), wrong value.
    """
    return parse_experiment(read_yaml(path), source=str(path), folder=Path(path).parent)


def read_keys(path: str | Path) -> Experiment:
    """A configuration by its keys and values alone, at once: the networks' libraries are not loaded for it.

    Relative paths stay as they stand. `read_experiment` asks, besides, whether backbones, encoders and
    aggregators are known.

    Raises:
        ConfigError: as `read_experiment`, but for their names.
    """
    content = read_yaml(path)
    return _parse_keys(content, str(path), alone="arms" not in content)


def parse_experiment(
    content: dict[str, Any], *, source: str = "configuration", folder: Path | None = None
) -> Experiment:
    """Check a configuration's content; `source` begins each error sentence, `folder` anchors relative paths.

    Content without `arms` is one slide network on one fold, whose keys then stand at the top.

    Raises:
        ConfigError: with every problem.
    """
    alone = "arms" not in content
    config = _parse_keys(content, source, alone=alone)
    for arm in config.arms:
        _check_arm(arm, len(config.label_scheme.classes), source, alone=alone)
    if folder is not None:
        config = _anchored(config, folder)
    if alone and config.out is None:
        config = config.model_copy(update={"out": Path("runs") / config.name})
    return config


def _parse_keys(content: dict[str, Any], source: str, *, alone: bool) -> Experiment:
    """The configuration, its arms' names looked at; `alone`: it is of one network."""
    try:
        config = Experiment.model_validate(_of_one_network(content) if alone else content)
    except ValidationError as error:
        items = error.errors()
        # Arms that are wrong are left out, and then there are too few: said once.
        wrong_arms = any(len(item["loc"]) > 1 and item["loc"][0] == "arms" for item in items)
        items = [item for item in items if not (wrong_arms and item["loc"] == ("arms",))]
        problems = [_sentence(item, alone=alone) for item in items]
        raise ConfigError(f"{source}: {' '.join(problems)}") from error
    _check_names(config, source)
    return config


def _of_one_network(content: dict[str, Any]) -> dict[str, Any]:
    """Keys of one network in their places: an arm of its own, on one fold."""
    arm = {key: content[key] for key in _OF_THE_ARM if key in content}
    rest = {key: value for key, value in content.items() if key not in _OF_THE_ARM}
    if "views" in rest:
        rest["cache"] = rest.pop("views")
    folds, bundle = rest.get("folds", {}), rest.get("bundle")
    if isinstance(folds, dict) and "only" not in folds:
        rest["folds"] = {key: value for key, value in folds.items() if key != "fold"} | {
            "only": [folds.get("fold", 0)]
        }
    if isinstance(bundle, dict) and "coverage" in bundle:
        rest["bundle"] = {key: value for key, value in bundle.items() if key != "coverage"}
        rest["coverage"] = bundle["coverage"]
    name = rest.get("name", "model")
    return {"name": name} | rest | {"arms": [{"paradigm": "slide", "name": name} | arm]}


def _check_names(config: Experiment, source: str) -> None:
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


def _check_arm(arm: BaseModel, classes: int, source: str, *, alone: bool) -> None:
    """What only the registries know: backbones, encoders, aggregators with their options and heads."""
    from lowpower.models import check_backbone, create_aggregator

    try:
        if isinstance(arm, SlideArm | PatchArm):
            check_backbone(arm.model.backbone)
        if isinstance(arm, MilArm):
            _known_encoder(arm.encoder)
            create_aggregator(arm.aggregator, 8, classes, arm.head, **arm.options)
    except ConfigError as error:
        which = "" if alone else f"arm {getattr(arm, 'name', '')!r}: "
        raise ConfigError(f"{source}: {which}{error}") from error


def _known_encoder(name: str) -> None:
    if Path(name).suffix in (".pt", ".ts", ".torchscript"):
        return
    from lowpower.models import encoder_card

    try:
        encoder_card(name)
    except ConfigError:
        import timm

        if not timm.is_model(name.split(".")[0]):
            raise


def _anchored(config: Experiment, folder: Path) -> Experiment:
    """The configuration with paths taken from `folder`."""
    from lowpower.models import is_weight_path

    update: dict[str, Any] = {
        key: absolute(from_folder(folder, value))
        for key in ("cohort", "out", "cache", "laboratory")
        if isinstance(value := getattr(config, key), Path)
    }
    if config.folds.file is not None:
        update["folds"] = config.folds.model_copy(update={"file": folder / config.folds.file})
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


def absolute(place: Path) -> Path:
    """A path from the root, its links followed; an address as it stands."""
    return place if address_of(place) is not None else place.resolve()


def _sentence(problem: ErrorDetails, *, alone: bool) -> str:
    place, kind, given = problem["loc"], problem["type"], problem["input"]
    known = _keys_at(place[:-1]) if kind == "extra_forbidden" else []
    if alone:
        if len(place) == 1:
            known = [*(key for key in known if key not in ("arms", "reference", "cache")), *_OF_THE_ARM]
        place = place[3:] if place[:1] == ("arms",) else place
        place = ("folds", "fold") if place[:2] == ("folds", "only") else place
    name = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"unknown key {name}; {nearest_key(str(place[-1]), known)}"
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
        return _keys_of(ARM_KINDS[str(place[2])], place[3:])
    return _keys_of(Experiment, place)


def nearest_key(word: str, known: Sequence[str]) -> str:
    """The known word that was meant, or all of them, as the end of a sentence."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}."


def _keys_of(section: Any, place: Sequence[int | str]) -> list[str]:
    """The keys of the part of a configuration at `place`; none where it has no keys of its own."""
    for part in place:
        annotation = section.model_fields[str(part)].annotation
        models = [kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")]
        if not models:
            return []
        section = models[0]
    return list(section.model_fields)
