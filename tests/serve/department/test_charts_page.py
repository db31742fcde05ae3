"""The charts as the page shows them: agreement by laboratory, and why there is no chart against a fit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lowpower.serve.department.records import Slide

from ..conftest import no_offence
from .conftest import page_of
from .test_charts import add_review, add_slide

SHOTS = os.environ.get("LOWPOWER_SHOTS")


def test_agreement_by_laboratory_and_a_model_without_its_fit(open_with, browser, tmp_path):
    expect = pytest.importorskip("playwright.sync_api").expect
    (tmp_path / "er").mkdir()
    (tmp_path / "er" / "bundle.json").write_text(json.dumps({"name": "er-1", "weights_sha256": "x"}))
    department = open_with(models=(str(tmp_path / "er"),))
    with department.database.write() as session:
        for number, (laboratory, score) in enumerate([("North", "1+"), ("North", "2+"), (None, "3+")]):
            add_slide(session, number, "2026-01")
            session.get_one(Slide, f"S-{number:04}").laboratory = laboratory
            add_review(session, number, "Dr. A", score, "1+")
    with page_of(department, browser) as page:
        page.get_by_role("button", name="Charts").click()
        table = page.get_by_role("region", name="HER2, readers and model, by laboratory")
        expect(table.locator("tbody tr")).to_have_count(2)
        expect(table.locator("tbody tr").first).to_contain_text("North")
        expect(table.locator("tbody tr").last).to_contain_text("laboratory not said")
        why = page.get_by_text("No charts against the fit of er-1")
        expect(why).to_contain_text("no measurement takes part in its answers")
        drift = page.get_by_role("region", name="Drift, month by month")
        expect(drift).to_contain_text("Slides referred: 0 %")
        no_offence(page)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / "charts_laboratory.png")
            why.scroll_into_view_if_needed()
            page.screenshot(path=Path(SHOTS) / "charts_fit.png")
