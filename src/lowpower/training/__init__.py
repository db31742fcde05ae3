"""Training: configuration, stain-space augmentation, balanced crops, Lightning. It never sees a test fold."""

from lowpower.training._experiment import Experiment, FoldDraw, keys_at, nearest_key
from lowpower.training._fitting import BagFitting, Fitting, PatchFitting
from lowpower.training._sections import Augmentation, Pretrained, Section, TrainerOptions
from lowpower.training._template import template
from lowpower.training._train_bags import BagExample, predict_bags, train_bags
from lowpower.training._train_config import (
    BundleOptions,
    TrainConfig,
    parse_config,
    read_config,
)
from lowpower.training._train_network import TrainingRun, train
from lowpower.training._train_patches import PatchExample, predict_patches, train_patches
from lowpower.training.data import Batch, CropBatches, Example, ViewStore, balanced_order, make_crop
from lowpower.training.loop import check_trainer, device_of, resolve_precision

__all__ = [
    "Augmentation",
    "BagExample",
    "BagFitting",
    "Batch",
    "BundleOptions",
    "CropBatches",
    "Example",
    "Experiment",
    "Fitting",
    "FoldDraw",
    "PatchExample",
    "PatchFitting",
    "Pretrained",
    "Section",
    "TrainConfig",
    "TrainerOptions",
    "TrainingRun",
    "ViewStore",
    "balanced_order",
    "check_trainer",
    "device_of",
    "keys_at",
    "make_crop",
    "nearest_key",
    "parse_config",
    "predict_bags",
    "predict_patches",
    "read_config",
    "resolve_precision",
    "template",
    "train",
    "train_bags",
    "train_patches",
]
