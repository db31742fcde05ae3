"""The model bundle: what it holds, its card, and what it may say."""

from typing import TYPE_CHECKING

from lowpower.doors import lazily

if TYPE_CHECKING:
    from lowpower.models.bundle._blueprint import Blueprint, LateFusion, MeasuredModel, MilModel, PatchModel
    from lowpower.models.bundle._bundle import Bundle, load_bundle
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
    from lowpower.models.bundle._familiar import APPEARANCE, Familiar, appearance_of
    from lowpower.models.bundle._modules import module_of, save_bundle, weights_of

__all__ = [
    "APPEARANCE",
    "Blueprint",
    "Bundle",
    "BundleMetric",
    "BundleSpec",
    "Combination",
    "ConformalLimits",
    "CutoffRule",
    "Decision",
    "Familiar",
    "Joint",
    "LateFusion",
    "MeasuredModel",
    "MilModel",
    "PatchModel",
    "Selective",
    "Voice",
    "appearance_of",
    "joint_inputs",
    "load_bundle",
    "module_of",
    "save_bundle",
    "software_versions",
    "weights_of",
]

_HOMES = {
    "_blueprint": ("Blueprint", "LateFusion", "MeasuredModel", "MilModel", "PatchModel"),
    "_bundle": ("Bundle", "load_bundle"),
    "_familiar": ("APPEARANCE", "Familiar", "appearance_of"),
    "_modules": ("module_of", "save_bundle", "weights_of"),
    "_bundle_spec": ("BundleMetric", "BundleSpec", "software_versions"),
    "_decision": (
        "Combination",
        "ConformalLimits",
        "CutoffRule",
        "Decision",
        "Joint",
        "Selective",
        "Voice",
        "joint_inputs",
    ),
}

__getattr__ = lazily(__name__, _HOMES)
