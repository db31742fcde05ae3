from __future__ import annotations

import numpy as np
import pytest

from lowpower.simulate import draw_laboratory, draw_scanner, draw_slide, plan_slide, render_field
from lowpower.simulate._appearance import Traits
from lowpower.simulate._her2_truth import Score

from .conftest import small_spec

SIDE = 512


@pytest.mark.parametrize(("score", "brown"), [("0", False), ("3+", True)])
def test_a_field_knows_its_nuclei_and_membranes(score: Score, brown: bool) -> None:
    spec = draw_slide(11, score, draw_laboratory(1), draw_scanner(1, mpp=(0.5, 0.5)))
    plan = plan_slide(spec)
    piece = plan.pieces[0]
    tumour = np.flatnonzero(piece.cells.kind == 0)[0]
    mpp = spec.scanner.mpp
    left = max(0, int((piece.cells.x[tumour] + piece.plan.place.x) / mpp) - SIDE // 2)
    top = max(0, int((piece.cells.y[tumour] + piece.plan.place.y) / mpp) - SIDE // 2)
    field = render_field(spec, plan, left, top, SIDE, SIDE)
    again = render_field(spec, plan, left, top, SIDE, SIDE)
    assert field.image.shape == (SIDE, SIDE, 3)
    assert np.array_equal(field.image, again.image)
    pixels = (field.xy / mpp).astype(int)
    inside = ((pixels >= 0) & (pixels < SIDE)).all(axis=1)
    column, row = pixels[inside].T
    assert inside.sum() > 20
    assert "erythrocyte" not in field.kind
    # Out-of-focus nuclei are pale, but every centre lies in its nucleus.
    assert (field.nuclei[row, column] > 0.05).mean() > 0.95
    assert (field.nuclei > 0.15).mean() < 0.7
    assert (field.membrane.max() > 0.5) == brown


def test_glass_is_a_field_too() -> None:
    spec = draw_slide(11, "0", draw_laboratory(1), draw_scanner(1, mpp=(0.5, 0.5)))
    field = render_field(spec, plan_slide(spec), 0, 0, 64, 64)
    assert field.nuclei.max() == 0
    assert field.membrane.max() == 0
    assert len(field.xy) == 0


def test_carcinoma_in_situ_looks_like_tumour_and_crushed_cells_do_not() -> None:
    spec = small_spec(seed=4, patterns=("ducts",), tumour=0.6, traits=Traits(in_situ=0.9, crush=55.0))
    plan = plan_slide(spec)
    field = render_field(spec, plan, 0, 0, *plan.size)
    assert set(field.kind[field.tumour_like]) == {"tumour", "in-situ"}
    assert "crushed" in field.kind
