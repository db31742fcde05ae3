"""Training: augmentation in stain space, balanced batches, one loop. It never sees a test fold."""

from typing import TYPE_CHECKING, Any

from lowpower.doors import lazily

if TYPE_CHECKING:
    from lowpower.training._fitting import BagFitting, Fitting, PatchFitting
    from lowpower.training._sections import Augmentation, Pretrained, Section, TrainerOptions
    from lowpower.training._teacher import Teacher, cells_of
    from lowpower.training._train_bags import BagExample, predict_bags, train_bags
    from lowpower.training._train_patches import PatchExample, predict_patches, train_patches
    from lowpower.training._train_request import TrainRequest
    from lowpower.training._train_views import train_views
    from lowpower.training.data import Batch, CropBatches, Example, ViewStore, balanced_order, make_crop
    from lowpower.training.loop import LearningRun, check_trainer, device_of, resolve_precision

__all__ = [
    "Augmentation",
    "BagExample",
    "BagFitting",
    "Batch",
    "CropBatches",
    "Example",
    "Fitting",
    "LearningRun",
    "PatchExample",
    "PatchFitting",
    "Pretrained",
    "Section",
    "Teacher",
    "TrainRequest",
    "TrainerOptions",
    "ViewStore",
    "balanced_order",
    "cells_of",
    "check_trainer",
    "device_of",
    "make_crop",
    "predict_bags",
    "predict_patches",
    "resolve_precision",
    "train_bags",
    "train_patches",
    "train_views",
]

_REPLACED = {
    "TrainConfig": "lowpower.experiments.Experiment",
    "parse_config": "lowpower.experiments.parse_experiment",
    "read_config": "lowpower.experiments.read_experiment",
    "train": "lowpower.train, or training.train_views for rows of one's own",
}

_HOMES = {
    "_fitting": (
        "BagFitting",
        "Fitting",
        "PatchFitting",
    ),
    "_sections": (
        "Augmentation",
        "Pretrained",
        "Section",
        "TrainerOptions",
    ),
    "_teacher": (
        "Teacher",
        "cells_of",
    ),
    "_train_bags": (
        "BagExample",
        "predict_bags",
        "train_bags",
    ),
    "_train_patches": (
        "PatchExample",
        "predict_patches",
        "train_patches",
    ),
    "_train_request": ("TrainRequest",),
    "_train_views": ("train_views",),
    "data": (
        "Batch",
        "CropBatches",
        "Example",
        "ViewStore",
        "balanced_order",
        "make_crop",
    ),
    "loop": (
        "LearningRun",
        "check_trainer",
        "device_of",
        "resolve_precision",
    ),
}

_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """A name of the door; or what replaced it."""
    if name in _REPLACED:
        raise AttributeError(f"lowpower.training.{name} is gone; take {_REPLACED[name]}")
    return _find(name)
