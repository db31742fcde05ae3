"""Finding a slide's tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import NoTissueError
from lowpower.tissue._mask import tissue_mask, working_mpp
from lowpower.tissue._qc import flags_of
from lowpower.tissue._types import MaskResult, Piece, QCFlag, Tissue, TissueQC
from lowpower.units import Box

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["find_tissue"]


def find_tissue(slide: Slide, *, mask: NDArray[np.bool_] | None = None) -> Tissue:
    """Find where the slide's tissue is, against the slide's own glass.

    Args:
        slide: An open slide.
        mask: (h, w) bool over the whole slide at any scale: tissue as its owner drew it, taken as it stands;
            the white point and the quality numbers still come from the slide.

    Raises:
        NoTissueError: where nothing but glass is found, or `mask` marks nothing.
        ValueError: if `mask` is not two-dimensional bool.
    """
    image = slide.overview(working_mpp(*slide.size, slide.mpp))
    mpp = slide.mpp * (slide.size[0] * slide.size[1] / (image.shape[0] * image.shape[1])) ** 0.5
    found = tissue_mask(image, mpp)
    extra: tuple[QCFlag, ...] = ()
    chosen = found.mask
    if mask is not None:
        chosen = _drawn(mask, found.mask.shape)
        extra = (QCFlag("own_mask", "tissue is where the given mask says; it was not searched for.", "note"),)
    if not chosen.any():
        raise NoTissueError(slide.path, _nothing(found, drawn=mask is not None))
    pieces = _pieces(chosen, slide.size, found.mpp)
    qc = TissueQC(found.numbers, extra + flags_of(found))
    return Tissue(
        mask=chosen,
        mpp=found.mpp,
        area_mm2=float(np.count_nonzero(chosen)) * found.mpp**2 / 1e6,
        pieces=pieces,
        white_point=found.white_point,
        white_point_source=found.white_point_source,
        qc=qc,
        box=_around(pieces),
    )


def _drawn(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"a tissue mask is (h, w) bool, got {mask.shape} {mask.dtype}")
    resized = cv2.resize(mask.view(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return resized.reshape(shape).astype(bool)


def _nothing(found: MaskResult, *, drawn: bool) -> str:
    if drawn:
        return "no tissue found: the given mask marks nothing."
    numbers = found.numbers
    red, green, blue = found.white_point
    return (
        f"no tissue found: at {found.mpp:.2g} um/px nothing larger than a speck differs from the glass "
        f"(RGB {red:.0f}, {green:.0f}, {blue:.0f}; texture of the glass {numbers.glass_texture:.4f} OD, of "
        f"tissue above {numbers.texture_threshold:.4f}; colour of tissue above "
        f"{numbers.colour_threshold:.4f}); "
        "if there is tissue, give its mask."
    )


def _pieces(mask: NDArray[np.bool_], size: tuple[int, int], mpp: float) -> tuple[Piece, ...]:
    height, width = mask.shape
    across, down = size[0] / width, size[1] / height
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    pieces = []
    for left, top, columns, rows, pixels in stats[1:].tolist():
        x, y = int(left * across), int(top * down)
        right = min(size[0], -int(-(left + columns) * across // 1))
        bottom = min(size[1], -int(-(top + rows) * down // 1))
        pieces.append(Piece(Box(x, y, max(1, right - x), max(1, bottom - y)), pixels * mpp * mpp / 1e6))
    return tuple(sorted(pieces, key=lambda piece: (-piece.area_mm2, piece.box.y, piece.box.x)))


def _around(pieces: tuple[Piece, ...]) -> Box:
    x = min(piece.box.x for piece in pieces)
    y = min(piece.box.y for piece in pieces)
    right = max(piece.box.right for piece in pieces)
    bottom = max(piece.box.bottom for piece in pieces)
    return Box(x, y, right - x, bottom - y)
