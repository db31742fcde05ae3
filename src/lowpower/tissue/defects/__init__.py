"""What lies on glass or tissue and should not: ink, blur, bubbles, debris, blocks never scanned."""

from lowpower.tissue.defects._blur import find_blur
from lowpower.tissue.defects._bubbles import find_bubbles, without_tissue
from lowpower.tissue.defects._debris import find_debris
from lowpower.tissue.defects._folded import find_folds
from lowpower.tissue.defects._pen import find_pen
from lowpower.tissue.defects._unscanned import find_unscanned

__all__ = [
    "find_blur",
    "find_bubbles",
    "find_debris",
    "find_folds",
    "find_pen",
    "find_unscanned",
    "without_tissue",
]
