"""Where work runs: this process, or several on this machine. It never changes results."""

from lowpower.engine._pool import default_workers, map_items

__all__ = ["default_workers", "map_items"]
