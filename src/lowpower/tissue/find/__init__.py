"""Tissue told from glass: colour and texture that the slide's own glass does not have."""

from lowpower.tissue.find._mask import Look, look_at, tissue_mask, working_mpp

__all__ = [
    "Look",
    "look_at",
    "tissue_mask",
    "working_mpp",
]
