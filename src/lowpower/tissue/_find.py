"""Finding a slide's tissue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NoTissueError
from lowpower.tissue._layers import label_layers
from lowpower.tissue._own_mask import own_mask
from lowpower.tissue._pieces import around, pieces_of
from lowpower.tissue._qc import control_flags, flags_of
from lowpower.tissue._reused_memory import reused_memory
from lowpower.tissue._types import Control, Group, MaskResult, QCFlag, Tissue, TissueQC
from lowpower.tissue.control import choose_control
from lowpower.tissue.find import look_at, working_mpp

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["find_tissue"]

_SHOWN_PIXELS = 1024


def find_tissue(
    slide: Slide | str | Path,
    *,
    mask: NDArray[np.bool_] | str | Path | None = None,
    control: Control = "auto",
    mpp: float | None = None,
) -> Tissue:
    """Find where the slide's tissue is, against the slide's own glass, and which of it is the sample.

    Args:
        slide: An open slide, or a file to open.
        mask: Tissue as its owner drew it, taken as it stands: (h, w) bool over the whole slide at any scale,
            or a file as `read_mask` takes it. The white point and the quality numbers still come from the
            slide, and a mask that does not fit it is questioned.
        control: On-slide control tissue, left out of the mask: "auto" looks for it (not in a `mask` of one's
            own) and leaves nothing out where it is not sure; "none" takes all tissue for sample; an end of
            the slide, a `Box` in base pixels, a GeoJSON or image file or a mask (h, w) says where it is.
        mpp: um/px of a file, over what it says.

    Raises:
        NoTissueError: where nothing but glass is found, `mask` marks nothing, or `control` takes everything.
        DamagedSlideError: if damage took all tissue.
        RegionsError: if the file that `mask` or `control` names cannot be used.
        ValueError: if `mask` or a mask given as `control` is not two-dimensional bool.
    """
    from lowpower.slides import opened

    with opened(slide, mpp) as one, reused_memory():
        return _find(one, mask, control)


def _find(slide: Slide, mask: NDArray[np.bool_] | str | Path | None, control: Control) -> Tissue:
    image = slide.overview(working_mpp(*slide.size, slide.mpp))
    mpp = slide.mpp * (slide.size[0] * slide.size[1] / (image.shape[0] * image.shape[1])) ** 0.5
    look = look_at(image, mpp)
    found = look.found
    extra: tuple[QCFlag, ...] = ()
    tissue = found.mask
    if mask is not None:
        tissue, extra = own_mask(mask, found.mask, slide.size)
        control = "none" if isinstance(control, str) and control == "auto" else control
    if not tissue.any():
        damaged = slide.damage() if mask is None else ()
        if damaged:
            lost = f"no tissue is left where {damaged[0].name} and others are damaged ({damaged[0].reason})"
            raise DamagedSlideError(slide.path, f"{lost}; copy or export it again.")
        raise NoTissueError(slide.path, _nothing(found, drawn=mask is not None))
    choice = choose_control(tissue, look.off, found.mpp, control, slide.size)
    sample = tissue & ~choice.mask
    if not sample.any():
        raise NoTissueError(
            slide.path, "the given control tissue covers all tissue: nothing is left to score."
        )
    pieces = pieces_of(sample, slide.size, found.mpp)
    marked = pieces_of(choice.mask, slide.size, found.mpp, "control", choice.reason)
    flags = (
        *_file_flags(slide),
        *extra,
        *control_flags(choice, marked, slide.size),
        *flags_of(look, sample, slide.size),
    )
    return Tissue(
        mask=sample,
        control=choice.mask,
        mpp=found.mpp,
        area_mm2=float(np.count_nonzero(sample)) * found.mpp**2 / 1e6,
        pieces=pieces + marked,
        white_point=found.white_point,
        white_point_source=found.white_point_source,
        qc=TissueQC(found.numbers, flags),
        box=around(pieces),
        labels=label_layers(look, sample, choice),
        doubtful=tuple(_group(where, end, slide.size, found.mpp) for where, end in choice.ways),
        picture=_shown(image),
    )


def _file_flags(slide: Slide) -> tuple[QCFlag, ...]:
    """What a user should know of the file itself: which scene is read, um/px that disagree."""
    from lowpower.slides import NEVER_WRITTEN

    return tuple(
        QCFlag("file", note, "note" if note.startswith(NEVER_WRITTEN) else "warn") for note in slide.notes
    )


def _group(where: NDArray[np.bool_], end: str | None, size: tuple[int, int], mpp: float) -> Group:
    pieces = pieces_of(where, size, mpp)
    return Group(where, around(pieces), sum(piece.area_mm2 for piece in pieces), end)


def _shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy small enough to keep."""
    factor = min(1.0, _SHOWN_PIXELS / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _nothing(found: MaskResult, *, drawn: bool) -> str:
    if drawn:
        return "no tissue found: the given mask marks nothing on this slide; is it in its base pixels?"
    numbers = found.numbers
    red, green, blue = found.white_point
    return (
        f"no tissue found: at {found.mpp:.2g} um/px nothing larger than a speck differs from the glass "
        f"(RGB {red:.0f}, {green:.0f}, {blue:.0f}; texture of the glass {numbers.glass_texture:.4f} OD, of "
        f"tissue above {numbers.texture_threshold:.4f}; colour of tissue above "
        f"{numbers.colour_threshold:.4f}); "
        "if there is tissue, give its mask."
    )
