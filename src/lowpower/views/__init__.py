"""Views: artefacts made of slides by recipes, each with a sidecar that says by what."""

from lowpower.views._bags import Bag, BagMaker, check_bag, read_bag
from lowpower.views._feature_sidecar import FeatureSidecar, read_sidecar
from lowpower.views._features import FeatureRun, FeatureTimes, make_features
from lowpower.views._make import make_view
from lowpower.views._patch_pass import kept_patches
from lowpower.views._patch_qc import PATCH_REASONS, PatchQC, PatchReason, inspect_patches, reason_counts
from lowpower.views._patch_stream import PatchBatch, read_patches
from lowpower.views._patches import PatchGrid, PatchRecipe, effective_mpp, plan_patches
from lowpower.views._prepare import PreparedView, open_prepared, prepare_views
from lowpower.views._recipe import LowResRecipe, View
from lowpower.views._store import ViewSidecar, cached_view, keep_open_view, load_view

__all__ = [
    "PATCH_REASONS",
    "Bag",
    "BagMaker",
    "FeatureRun",
    "FeatureSidecar",
    "FeatureTimes",
    "LowResRecipe",
    "PatchBatch",
    "PatchGrid",
    "PatchQC",
    "PatchReason",
    "PatchRecipe",
    "PreparedView",
    "View",
    "ViewSidecar",
    "cached_view",
    "check_bag",
    "effective_mpp",
    "inspect_patches",
    "keep_open_view",
    "kept_patches",
    "load_view",
    "make_features",
    "make_view",
    "open_prepared",
    "plan_patches",
    "prepare_views",
    "read_bag",
    "read_patches",
    "read_sidecar",
    "reason_counts",
]
