"""One glass under two names: equal files, and slides that look alike."""

from lowpower.cohort.copies._copies import content_hashes, refuse_copies
from lowpower.cohort.copies._likeness import likeness, near_pairs
from lowpower.cohort.copies._near import SAME_TISSUE, near_copies, overview

__all__ = [
    "SAME_TISSUE",
    "content_hashes",
    "likeness",
    "near_copies",
    "near_pairs",
    "overview",
    "refuse_copies",
]
