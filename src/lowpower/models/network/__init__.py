"""The slide network: backbone, pooling over tissue, heads."""

from typing import TYPE_CHECKING

from lowpower.doors import lazily

if TYPE_CHECKING:
    from lowpower.models.network._cell_counts import CELL_CLASSES, count_loss
    from lowpower.models.network._heads import Head, class_probabilities, expected_score, head_loss, temper
    from lowpower.models.network._network import SlideNetwork, make_body
    from lowpower.models.network._network_spec import HeadName, ModelSpec, check_backbone

__all__ = [
    "CELL_CLASSES",
    "Head",
    "HeadName",
    "ModelSpec",
    "SlideNetwork",
    "check_backbone",
    "class_probabilities",
    "count_loss",
    "expected_score",
    "head_loss",
    "make_body",
    "temper",
]

_HOMES = {
    "_cell_counts": ("CELL_CLASSES", "count_loss"),
    "_heads": ("Head", "class_probabilities", "expected_score", "head_loss", "temper"),
    "_network": ("SlideNetwork", "make_body"),
    "_network_spec": ("HeadName", "ModelSpec", "check_backbone"),
}

__getattr__ = lazily(__name__, _HOMES)
