"""Nuclei of an impossible size question the slide's um/px."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from lowpower.stain import counted_cells
from lowpower.stain._place import size_quality
from lowpower.stain.cells._counted_cells import LYMPHOID, TUMOUR, Cells


def cells_of(diameter: float, count: int) -> Cells:
    columns = {field.name: np.ones(count, np.float32) for field in fields(Cells)}
    columns["diameter"] = np.full(count, diameter, np.float32)
    columns["kind"] = np.where(np.arange(count) % 2, TUMOUR, LYMPHOID).astype(np.uint8)
    return Cells(**columns)


@pytest.mark.parametrize(("diameter", "effect"), [(5.0, None), (11.0, None), (15.0, "refuse"), (3.2, "warn")])
def test_an_impossible_size_asks_for_um_per_px(diameter, effect):
    flags = size_quality(cells_of(diameter, 80), 1.0)
    assert [flag.effect for flag in flags] == ([] if effect is None else [effect])
    if flags:
        assert f"{5.0 / diameter:.2g} would fit" in flags[0].message


def test_few_cells_and_slivers_say_nothing():
    assert size_quality(cells_of(15.0, 49), 1.0) == ()
    assert size_quality(cells_of(2.0, 500), 1.0) == ()


def test_all_cells_but_slivers_can_count():
    assert counted_cells(cells_of(8.0, 10), "tumour").sum() == 5
    assert counted_cells(cells_of(8.0, 10), "all").sum() == 10
    assert counted_cells(cells_of(2.0, 10), "all").sum() == 0
