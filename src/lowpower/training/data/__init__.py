"""What training sees: views in memory, augmented, in balanced batches."""

from lowpower.training.data._ahead import Ahead, turns
from lowpower.training.data._augment import make_crop
from lowpower.training.data._batches import Batch, CropBatches, balanced_order, collate
from lowpower.training.data._view_memory import Example, ViewStore

__all__ = [
    "Ahead",
    "Batch",
    "CropBatches",
    "Example",
    "ViewStore",
    "balanced_order",
    "collate",
    "make_crop",
    "turns",
]
