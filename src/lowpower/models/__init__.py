"""Models: the slide network, its heads, pretrained weights, prediction and the model bundle."""

from lowpower.models._bundle import Bundle, bundled_models, load_bundle, save_bundle
from lowpower.models._bundle_spec import Abstention, BundleSpec, Metric, software_versions
from lowpower.models._heads import class_probabilities, expected_score, head_loss, temper
from lowpower.models._lite0 import (
    LITE0_MEAN,
    LITE0_SHA256,
    LITE0_STD,
    lite0_features,
    lite0_weights,
    load_lite0,
)
from lowpower.models._network import SlideNetwork
from lowpower.models._predict import Prediction, explain, predict, to_tensors
from lowpower.models._spec import HeadName, ModelSpec
from lowpower.models._weights import build_network, read_state

__all__ = [
    "LITE0_MEAN",
    "LITE0_SHA256",
    "LITE0_STD",
    "Abstention",
    "Bundle",
    "BundleSpec",
    "HeadName",
    "Metric",
    "ModelSpec",
    "Prediction",
    "SlideNetwork",
    "build_network",
    "bundled_models",
    "class_probabilities",
    "expected_score",
    "explain",
    "head_loss",
    "lite0_features",
    "lite0_weights",
    "load_bundle",
    "load_lite0",
    "predict",
    "read_state",
    "save_bundle",
    "software_versions",
    "temper",
    "to_tensors",
]
