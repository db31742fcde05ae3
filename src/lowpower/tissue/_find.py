"""Finding a slide's tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import NoTissueError
from lowpower.tissue._choose import Choice, choose_control, on_grid
from lowpower.tissue._mask import look_at, working_mpp
from lowpower.tissue._qc import flags_of
from lowpower.tissue._types import Control, MaskResult, Piece, QCFlag, Tissue, TissueQC
from lowpower.units import Box

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["find_tissue"]


def find_tissue(slide: Slide, *, mask: NDArray[np.bool_] | None = None, control: Control = "auto") -> Tissue:
    """Find where the slide's tissue is, against the slide's own glass, and which of it is the sample.

    Args:
        slide: An open slide.
        mask: (h, w) bool over the whole slide at any scale: tissue as its owner drew it, taken as it stands;
            the white point and the quality numbers still come from the slide.
        control: On-slide control tissue, left out of the mask: "auto" looks for it (not in a `mask` of one's
            own) and leaves nothing out where it is not sure; "none" takes all tissue for sample; a GeoJSON or
            PNG file, a `Box` in base pixels or a mask (h, w) says where it is.

    Raises:
        NoTissueError: where nothing but glass is found, `mask` marks nothing, or `control` takes everything.
        DamagedSlideError: if the file that `control` names cannot be used.
        ValueError: if `mask` or a mask given as `control` is not two-dimensional bool.
    """
    image = slide.overview(working_mpp(*slide.size, slide.mpp))
    mpp = slide.mpp * (slide.size[0] * slide.size[1] / (image.shape[0] * image.shape[1])) ** 0.5
    look = look_at(image, mpp)
    found = look.found
    extra: tuple[QCFlag, ...] = ()
    tissue = found.mask
    if mask is not None:
        tissue = on_grid(mask, found.mask.shape)
        extra = (QCFlag("own_mask", "tissue is where the given mask says; it was not searched for.", "note"),)
        control = "none" if isinstance(control, str) and control == "auto" else control
    if not tissue.any():
        raise NoTissueError(slide.path, _nothing(found, drawn=mask is not None))
    choice = choose_control(tissue, look.off, found.mpp, control, slide.size)
    sample = tissue & ~choice.mask
    if not sample.any():
        raise NoTissueError(
            slide.path, "the given control tissue covers all tissue: nothing is left to score."
        )
    pieces = _pieces(sample, slide.size, found.mpp)
    marked = _pieces(choice.mask, slide.size, found.mpp, choice)
    qc = TissueQC(found.numbers, (*extra, *_control_flags(choice, marked, slide.size), *flags_of(found)))
    return Tissue(
        mask=sample,
        control=choice.mask,
        mpp=found.mpp,
        area_mm2=float(np.count_nonzero(sample)) * found.mpp**2 / 1e6,
        pieces=pieces + marked,
        white_point=found.white_point,
        white_point_source=found.white_point_source,
        qc=qc,
        box=_around(pieces),
    )


def _control_flags(choice: Choice, marked: tuple[Piece, ...], size: tuple[int, int]) -> tuple[QCFlag, ...]:
    if marked:
        area = sum(piece.area_mm2 for piece in marked)
        cure = "" if choice.given else " If it is sample, score again with --control none."
        message = f"control tissue of {area:.2f} mm2 was left out ({choice.reason}).{cure}"
        return (QCFlag("control", message, "note", area, _around(marked)),)
    if choice.given:
        message = "the control tissue given holds no tissue: nothing was left out."
        return (QCFlag("control_empty", message, "warn"),)
    if choice.doubtful is not None:
        pieces = _pieces(choice.doubtful, size, choice.mpp)
        area = sum(piece.area_mm2 for piece in pieces)
        message = (
            f"tissue of {area:.2f} mm2 may be on-slide control tissue ({choice.reason}); nothing was left "
            "out: look, and score again with --control none or with --control and the control's outline."
        )
        return (QCFlag("control_doubtful", message, "warn", area, _around(pieces)),)
    return ()


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


def _pieces(
    mask: NDArray[np.bool_], size: tuple[int, int], mpp: float, choice: Choice | None = None
) -> tuple[Piece, ...]:
    height, width = mask.shape
    across, down = size[0] / width, size[1] / height
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    pieces = []
    for left, top, columns, rows, pixels in stats[1:].tolist():
        x, y = int(left * across), int(top * down)
        right = min(size[0], -int(-(left + columns) * across // 1))
        bottom = min(size[1], -int(-(top + rows) * down // 1))
        box, area = Box(x, y, max(1, right - x), max(1, bottom - y)), pixels * mpp * mpp / 1e6
        pieces.append(Piece(box, area) if choice is None else Piece(box, area, "control", choice.reason))
    return tuple(sorted(pieces, key=lambda piece: (-piece.area_mm2, piece.box.y, piece.box.x)))


def _around(pieces: tuple[Piece, ...]) -> Box:
    x = min(piece.box.x for piece in pieces)
    y = min(piece.box.y for piece in pieces)
    right = max(piece.box.right for piece in pieces)
    bottom = max(piece.box.bottom for piece in pieces)
    return Box(x, y, right - x, bottom - y)
