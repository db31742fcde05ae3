"""Where work runs: this process, several on this machine, or a Ray cluster. It never changes results."""

from lowpower.engine._map import Needs, default_workers, map_items, run_on
from lowpower.engine._stages import of_stage

__all__ = ["Needs", "default_workers", "map_items", "of_stage", "run_on"]
