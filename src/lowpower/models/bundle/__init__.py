"""The model bundle: what it holds, its card, and what it may say."""

from lowpower.models.bundle._blueprint import Blueprint, LateFusion, MeasuredModel, MilModel, PatchModel
from lowpower.models.bundle._bundle import Bundle, load_bundle, module_of, save_bundle, weights_of
from lowpower.models.bundle._bundle_spec import BundleMetric, BundleSpec, software_versions
from lowpower.models.bundle._decision import (
    Combination,
    ConformalLimits,
    CutoffRule,
    Decision,
    Joint,
    Selective,
    Voice,
    joint_inputs,
)

__all__ = [
    "Blueprint",
    "Bundle",
    "BundleMetric",
    "BundleSpec",
    "Combination",
    "ConformalLimits",
    "CutoffRule",
    "Decision",
    "Joint",
    "LateFusion",
    "MeasuredModel",
    "MilModel",
    "PatchModel",
    "Selective",
    "Voice",
    "joint_inputs",
    "load_bundle",
    "module_of",
    "save_bundle",
    "software_versions",
    "weights_of",
]
