"""Training: configuration, stain-space augmentation, balanced crops, Lightning. It never sees a test fold."""

from lowpower.training._augment import Crop, make_crop
from lowpower.training._batches import Batch, CropBatches, balanced_order
from lowpower.training._config import (
    Augmentation,
    BundleOptions,
    Fitting,
    FoldOptions,
    TrainConfig,
    TrainerOptions,
    parse_config,
    read_config,
)
from lowpower.training._outputs import prediction_table
from lowpower.training._patch_config import BagFitting, PatchFitting
from lowpower.training._precision import resolve_precision
from lowpower.training._store import Example, ViewStore
from lowpower.training._train import TrainingRun, TrainingSummary, train

__all__ = [
    "Augmentation",
    "BagFitting",
    "Batch",
    "BundleOptions",
    "Crop",
    "CropBatches",
    "Example",
    "Fitting",
    "FoldOptions",
    "PatchFitting",
    "TrainConfig",
    "TrainerOptions",
    "TrainingRun",
    "TrainingSummary",
    "ViewStore",
    "balanced_order",
    "make_crop",
    "parse_config",
    "prediction_table",
    "read_config",
    "resolve_precision",
    "train",
]
