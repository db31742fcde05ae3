"""Training: configuration, stain-space augmentation, balanced crops, Lightning. It never sees a test fold."""

from lowpower.training._augment import Crop, make_crop
from lowpower.training._bags import BagExample, predict_bags, train_bags
from lowpower.training._batches import Batch, CropBatches, balanced_order
from lowpower.training._config import (
    Augmentation,
    BundleOptions,
    Fitting,
    FoldOptions,
    Pretrained,
    TrainConfig,
    TrainerOptions,
    parse_config,
    read_config,
)
from lowpower.training._learner import LearningRun, device_of
from lowpower.training._outputs import prediction_table
from lowpower.training._patch_config import BagFitting, PatchFitting
from lowpower.training._patches import PatchExample, predict_patches, train_patches
from lowpower.training._precision import check_accelerator, resolve_precision
from lowpower.training._store import Example, ViewStore
from lowpower.training._template import template
from lowpower.training._train import TrainingRun, TrainingSummary, train

__all__ = [
    "Augmentation",
    "BagExample",
    "BagFitting",
    "Batch",
    "BundleOptions",
    "Crop",
    "CropBatches",
    "Example",
    "Fitting",
    "FoldOptions",
    "LearningRun",
    "PatchExample",
    "PatchFitting",
    "Pretrained",
    "TrainConfig",
    "TrainerOptions",
    "TrainingRun",
    "TrainingSummary",
    "ViewStore",
    "balanced_order",
    "check_accelerator",
    "device_of",
    "make_crop",
    "parse_config",
    "predict_bags",
    "predict_patches",
    "prediction_table",
    "read_config",
    "resolve_precision",
    "template",
    "train",
    "train_bags",
    "train_patches",
]
