"""Where a slide's tissue is: found alike whether pale score 0 or dark 3+, against the slide's own glass."""

from lowpower.tissue._find import find_tissue
from lowpower.tissue._mask import tissue_mask, working_mpp
from lowpower.tissue._types import (
    MaskNumbers,
    MaskResult,
    Piece,
    QCFlag,
    Tissue,
    TissueQC,
    WhitePointSource,
)

__all__ = [
    "MaskNumbers",
    "MaskResult",
    "Piece",
    "QCFlag",
    "Tissue",
    "TissueQC",
    "WhitePointSource",
    "find_tissue",
    "tissue_mask",
    "working_mpp",
]
