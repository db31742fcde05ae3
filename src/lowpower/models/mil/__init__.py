"""Multiple-instance learning: from a slide's bag of patch features to its class, with each patch's weight.

Every aggregator maps bags (B, N, D) with a mask (B, N) to logits (B, K, or K-1 for ordinal heads) and
attention (B, N). All are written from the papers they name.
"""

from lowpower.models.mil._abmil import AttentionPool
from lowpower.models.mil._bag_network import BagNetwork, BagPrediction
from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.mil._clam_mb import ClamMB
from lowpower.models.mil._clam_sb import ClamSB
from lowpower.models.mil._dsmil import DualStream
from lowpower.models.mil._dtfd import DoubleTier
from lowpower.models.mil._plain import MaxPool, MeanPool
from lowpower.models.mil._registry import aggregator_names, create_aggregator, register_aggregator
from lowpower.models.mil._transmil import TransMil

__all__ = [
    "Aggregator",
    "AttentionPool",
    "BagNetwork",
    "BagPrediction",
    "ClamMB",
    "ClamSB",
    "DoubleTier",
    "DualStream",
    "MaxPool",
    "MeanPool",
    "MilOutput",
    "TransMil",
    "aggregator_names",
    "create_aggregator",
    "register_aggregator",
]
