"""Models: the slide network, its heads, pretrained weights, prediction and the model bundle."""

from lowpower.models._blueprint import Blueprint, LateFusion, MeasuredModel, MilModel, PatchModel
from lowpower.models._bundle import Bundle, load_bundle, module_of, save_bundle, weights_of
from lowpower.models._bundle_find import bundled_models
from lowpower.models._bundle_spec import BundleSpec, Metric, software_versions
from lowpower.models._cell_counts import CELL_CLASSES, count_loss
from lowpower.models._decision import (
    Abstention,
    Combination,
    CutoffRule,
    Decision,
    Joint,
    Selective,
    Voice,
    joint_inputs,
)
from lowpower.models._encoder_cards import EncoderCard, register_encoder
from lowpower.models._encoder_ref import EncoderRef
from lowpower.models._encoder_stain import STAIN_NAMES
from lowpower.models._encoders import Encoder, create_encoder, encoder_card, encoder_names
from lowpower.models._fusion import FusionName, HistogramFusion, fit_histogram_fusion, fuse_patches
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
from lowpower.models._predict_patches import patch_probabilities
from lowpower.models._read_state import read_state
from lowpower.models._share_regression import ShareRegression, fit_share_regression, measured_inputs
from lowpower.models._spec import HeadName, ModelSpec, check_backbone
from lowpower.models._weights import build_network, is_weight_path
from lowpower.models.mil import (
    Aggregator,
    BagNetwork,
    BagPrediction,
    MilOutput,
    aggregator_names,
    create_aggregator,
    register_aggregator,
)

__all__ = [
    "CELL_CLASSES",
    "LITE0_MEAN",
    "LITE0_SHA256",
    "LITE0_STD",
    "STAIN_NAMES",
    "Abstention",
    "Aggregator",
    "BagNetwork",
    "BagPrediction",
    "Blueprint",
    "Bundle",
    "BundleSpec",
    "Combination",
    "CutoffRule",
    "Decision",
    "Encoder",
    "EncoderCard",
    "EncoderRef",
    "FusionName",
    "HeadName",
    "HistogramFusion",
    "Joint",
    "LateFusion",
    "MeasuredModel",
    "Metric",
    "MilModel",
    "MilOutput",
    "ModelSpec",
    "PatchModel",
    "Prediction",
    "Selective",
    "ShareRegression",
    "SlideNetwork",
    "Voice",
    "aggregator_names",
    "build_network",
    "bundled_models",
    "check_backbone",
    "class_probabilities",
    "count_loss",
    "create_aggregator",
    "create_encoder",
    "encoder_card",
    "encoder_names",
    "expected_score",
    "explain",
    "fit_histogram_fusion",
    "fit_share_regression",
    "fuse_patches",
    "head_loss",
    "is_weight_path",
    "joint_inputs",
    "lite0_features",
    "lite0_weights",
    "load_bundle",
    "load_lite0",
    "measured_inputs",
    "module_of",
    "patch_probabilities",
    "predict",
    "read_state",
    "register_aggregator",
    "register_encoder",
    "save_bundle",
    "software_versions",
    "temper",
    "to_tensors",
    "weights_of",
]
