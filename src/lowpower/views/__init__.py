"""Views: artefacts made of slides by recipes, each with a sidecar that says by what."""

from lowpower.views._make import make_view
from lowpower.views._prepare import PreparedView, open_prepared, prepare_views
from lowpower.views._recipe import LowResRecipe, View
from lowpower.views._store import ViewSidecar, cached_view, load_view

__all__ = [
    "LowResRecipe",
    "PreparedView",
    "View",
    "ViewSidecar",
    "cached_view",
    "load_view",
    "make_view",
    "open_prepared",
    "prepare_views",
]
