"""Cells that look like tumour or stain like it, and count nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from lowpower.simulate import membrane_class, plan_slide
from lowpower.simulate._appearance import Traits
from lowpower.simulate.tissue._cell_places import Cells
from lowpower.simulate.tissue._nuclei_library import KINDS

from .conftest import small_spec


def _cells(score: str = "0", **traits: float) -> Cells:
    spec = small_spec(seed=4, score=score, patterns=("ducts",), tumour=0.6, traits=Traits(**traits))
    return plan_slide(spec).pieces[0].cells


def _grades(cells: Cells, kind: str) -> np.ndarray:
    chosen = cells.kind == KINDS.index(kind)
    return membrane_class(cells.completeness[chosen], cells.intensity[chosen])


def test_nothing_is_set_apart_unless_asked() -> None:
    kinds = set(np.array(KINDS)[_cells().kind].tolist())
    assert kinds.isdisjoint({"in-situ", "crushed"})


def test_stained_carcinoma_in_situ_leaves_the_score_alone() -> None:
    plain, beside = _cells(), _cells(in_situ=0.9, in_situ_stain=0.9)
    in_situ = _grades(beside, "in-situ")
    assert len(in_situ) > 20
    assert (in_situ == 3).mean() > 0.8
    assert len(_grades(beside, "tumour")) + len(in_situ) == len(_grades(plain, "tumour"))
    assert _grades(beside, "tumour").max() <= 1


def test_crushed_cells_are_no_tumour_cells() -> None:
    plain, crushed = _cells("3+"), _cells("3+", crush=55.0)
    assert len(_grades(crushed, "crushed")) > 5
    assert len(_grades(crushed, "tumour")) < len(_grades(plain, "tumour"))
    assert (_grades(crushed, "crushed") >= 2).mean() > 0.5


def test_normal_ducts_may_stain() -> None:
    cells = _cells(normal_stain=0.8)
    normal = _grades(cells, "normal")
    assert (normal > 0).mean() == pytest.approx(0.8, abs=0.15)
    assert _grades(_cells(), "normal").max() == 0


def test_strong_but_incomplete_membranes_stay_class_1() -> None:
    weak, strong = _cells("1+"), _cells("1+", strong_partial=0.9)
    assert np.array_equal(_grades(weak, "tumour"), _grades(strong, "tumour"))
    assert strong.intensity[strong.kind == 0].mean() > 1.5 * weak.intensity[weak.kind == 0].mean()
