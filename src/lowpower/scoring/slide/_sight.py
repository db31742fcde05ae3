"""An open slide as models look at it: views, bags, patches and the measurement, each made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import Regions
from lowpower.graphs import Precision
from lowpower.models import MilModel, PatchModel
from lowpower.scoring.records import Attachments, Measured
from lowpower.scoring.requests import ScoreRequest, within
from lowpower.scoring.slide._measure_slide import FieldProgress, measure_slide
from lowpower.slides import Slide
from lowpower.stain import Laboratory, Marker
from lowpower.tissue import Tissue
from lowpower.views import (
    LowResRecipe,
    PatchGrid,
    PatchQC,
    PatchRecipe,
    View,
    kept_patches,
    make_view,
    plan_patches,
)

if TYPE_CHECKING:
    from lowpower.models import Encoder

__all__ = ["Bag", "Sight"]

_GROUND = LowResRecipe(mpp=4.0)


@dataclass(frozen=True, eq=False)
class Bag:
    """A slide's patches as features.

    Attributes:
        features: (N, D) float16, as feature files hold them.
        coords: (N, 2) int64 upper left corners, base pixels.
        grid: The grid they are of.
    """

    features: NDArray[np.float16]
    coords: NDArray[np.int64]
    grid: PatchGrid


class Sight:
    """One open slide; what several models of a late fusion need is made once.

    Args:
        slide: The slide.
        tissue: Where its tissue is.
        regions: Tumour regions: models see the tissue inside, and only cells inside count.
        request: For this slide.
        marker: What was stained.
        progress: Called with measured fields done and fields in all.
        learnt: Whose cut-offs measured what the model learnt from; the usual ones if None.

    Raises:
        RegionsError: the regions hold no tissue.
    """

    def __init__(
        self,
        slide: Slide,
        tissue: Tissue,
        regions: Regions | None,
        request: ScoreRequest,
        marker: str,
        progress: FieldProgress | None = None,
        learnt: Laboratory | None = None,
    ) -> None:
        self.slide, self.tissue = slide, within(tissue, regions, slide)
        self._whole, self._regions = tissue, regions
        self._request, self._marker, self._progress = request, cast(Marker, marker), progress
        self._learnt = learnt
        self._measured: dict[str | None, tuple[Measured, Attachments]] = {}
        self._views: dict[LowResRecipe, View] = {}
        self._bags: dict[tuple[str, PatchRecipe, PatchQC | None], Bag] = {}

    @property
    def precision(self) -> Precision:
        """Which runtime runs exported networks."""
        return self._request.precision

    @property
    def ground(self) -> View:
        """What maps of patches and cells are painted on."""
        return self.view(_GROUND)

    def view(self, recipe: LowResRecipe) -> View:
        """As `make_view`."""
        if recipe not in self._views:
            self._views[recipe] = make_view(self.slide, self.tissue, recipe)
        return self._views[recipe]

    def bag(self, model: MilModel, encoder: Encoder) -> Bag:
        """Features of its patches.

        Raises:
            MppOutOfRangeError: the slide stores nothing that fine.
            NoTissueError: no patch holds enough tissue, or none passes the inspection.
        """
        key = (encoder.identity, model.patches, model.qc)
        if key not in self._bags:
            grid = plan_patches(self.slide, self.tissue, model.patches)
            encode, white = encoder.for_slide(self.tissue.white_point), self.tissue.white_point
            features, index = [], []
            for images, places in kept_patches(self.slide, grid, white, model.qc):
                features.append(np.asarray(encode(images)).astype(np.float16))
                index.append(places)
            self._bags[key] = Bag(np.concatenate(features), grid.coords[np.concatenate(index)], grid)
        return self._bags[key]

    def patches(
        self, model: PatchModel
    ) -> tuple[PatchGrid, Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]]:
        """Its grid, and the patches in a stream; raises as `bag`."""
        grid = plan_patches(self.slide, self.tissue, model.patches)
        return grid, kept_patches(self.slide, grid, self.tissue.white_point, model.qc)

    def measured(self, *, as_learnt: bool = False) -> tuple[Measured, Attachments]:
        """The stain as measured, by the cut-offs asked for or by those that the model learnt with."""
        request = replace(self._request, laboratory=self._learnt) if as_learnt else self._request
        own = request.laboratory_name
        if own not in self._measured:
            self._measured[own] = measure_slide(
                self.slide, self._whole, request, self._marker, self._progress, self._regions
            )
        return self._measured[own]
