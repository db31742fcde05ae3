"""One scored slide on the terminal says what its pictures and pages say, in the same words."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lowpower.cli._tables import print_case
from lowpower.scoring import Measured, Result, class_names, share_name

SHARES = {
    "HER2": ("none", "faint_incomplete", "moderate_complete", "intense_complete"),
    "ER": ("none", "weak", "moderate", "strong"),
}


@pytest.mark.parametrize("marker", SHARES)
def test_cells_are_called_as_in_the_pictures(marker):
    measured = Measured(
        marker=marker, score="1+", group=None, sentence="measured.", tumour_cells=100, cells={},
        shares=dict.fromkeys(SHARES[marker], 0.25), h_score=150.0,
    )  # fmt: skip
    result = Result(
        file="a.svs", state="ok", marker=marker, decision="1+", measured=measured, software_version="1"
    )
    screen = io.StringIO()
    print_case(Console(file=screen, width=500), result)
    for share, pictured in zip(SHARES[marker], class_names(marker), strict=False):
        said = share_name(marker, share)
        assert f"{said} 25.0%" in screen.getvalue()
        assert pictured == f"Tumour-like, {said}"
