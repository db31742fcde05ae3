"""What is to be said of tiles whose decoder warned: they are read as glass, so their tissue is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lowpower.errors import DamagedSlideError
from lowpower.tissue._checks import CHECKS
from lowpower.tissue._qc import box_around
from lowpower.tissue._types import QCFlag, Tissue

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["damage_flags", "refuse_damaged"]

_NAMED = 3


def damage_flags(slide: Slide, tissue: Tissue) -> tuple[QCFlag, ...]:
    """The flag `damaged`, if a tile that was read so far is; ask again once everything has been read.

    Its share is of the tissue and the damaged tiles together: a tile that is lost may have held tissue.
    """
    tiles = slide.damage()
    if not tiles:
        return ()
    rows, columns = tissue.mask.shape
    lost = np.zeros((rows, columns), np.bool_)
    for tile in tiles:
        box = tile.box
        lost[
            int(box.y * rows / slide.size[1]) : -int(-box.bottom * rows // slide.size[1]),
            int(box.x * columns / slide.size[0]) : -int(-box.right * columns // slide.size[0]),
        ] = True
    share = np.count_nonzero(lost) / np.count_nonzero(lost | tissue.mask)
    effect = CHECKS["damaged"].effect(share)
    if effect is None:
        return ()
    area = float(np.count_nonzero(lost)) * tissue.mpp**2 / 1e6
    named = ", ".join(tile.name for tile in tiles[:_NAMED])
    more = f" and {len(tiles) - _NAMED} more" if len(tiles) > _NAMED else ""
    message = (
        f"damaged in the file and read as glass: {named}{more} ({tiles[0].reason}): {area:.3g} mm2, up to "
        f"{share:.1%} of the tissue."
    )
    return (QCFlag("damaged", message, effect, area, box_around(lost, slide.size)),)


def refuse_damaged(slide: Slide, tissue: Tissue) -> tuple[QCFlag, ...]:
    """`damage_flags`, where they do not refuse.

    Raises:
        DamagedSlideError: if too much of the slide is damaged (`CHECKS["damaged"].refuse`).
    """
    flags = damage_flags(slide, tissue)
    for flag in flags:
        if flag.effect == "refuse":
            raise DamagedSlideError(slide.path, f"{flag.message.rstrip('.')}; copy or export it again.")
    return flags
