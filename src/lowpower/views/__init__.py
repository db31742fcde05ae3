"""Views: artefacts made of slides by recipes, each with a sidecar that says by what."""

from lowpower.views._bags import Bag, check_bag, read_bag
from lowpower.views._features import make_features
from lowpower.views._make import make_view
from lowpower.views._patch_pass import kept_patches
from lowpower.views._patch_qc import PATCH_REASONS, PatchQC, inspect_patches
from lowpower.views._patch_stream import read_patches
from lowpower.views._patches import PatchGrid, PatchRecipe, plan_patches
from lowpower.views._prepare import PreparedView, open_prepared, prepare_views
from lowpower.views._recipe import LowResRecipe, View
from lowpower.views._store import cached_view, keep_open_view, load_view

__all__ = [
    "PATCH_REASONS",
    "Bag",
    "LowResRecipe",
    "PatchGrid",
    "PatchQC",
    "PatchRecipe",
    "PreparedView",
    "View",
    "cached_view",
    "check_bag",
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
]
