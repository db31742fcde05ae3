"""The page's button that measures: beside a model's answer, and without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..conftest import no_offence
from .conftest import browser_of, finish, finish_measured, page_of, upload

SHOTS = os.environ.get("LOWPOWER_SHOTS")


@pytest.mark.slow
def test_a_slide_is_measured_from_the_page_and_its_answer_stays(department, browser, slide_file):
    expect = pytest.importorskip("playwright.sync_api").expect
    admin = browser_of(department)
    key = upload(admin, slide_file)
    finish(department, admin.get("/v1/jobs").json()[0]["id"])
    with page_of(department, browser) as page:
        expect(page.locator(".headline strong")).to_have_text("HER2 1+")

        page.get_by_role("button", name="Measure", exact=True).click()
        expect(page.get_by_text("Waits to be measured")).to_be_visible()
        expect(page.get_by_role("button", name="Cancel measuring")).to_be_visible()
        expect(page.get_by_role("button", name="Measure", exact=True)).to_have_count(0)
        job = admin.get("/v1/jobs", params={"active": True}).json()[0]
        assert (job["slide"], job["asked"]["kind"]) == (key, "measure")
        page.get_by_role("radio", name="2+", exact=True).check()  # a reader is at it meanwhile
        page.get_by_label("Comment").fill("faint rings")
        assert finish_measured(department, job["id"], "2+")
        expect(page.locator("#said")).to_have_text(f"{key} was measured.")
        since = page.get_by_role("region", name="Measured since, without a model")
        expect(since).to_contain_text("HER2 measured 2+")
        expect(since).to_contain_text("Most cells say 2+.")
        expect(page.locator(".headline strong")).to_have_text("HER2 1+")
        expect(page.locator("nav .state")).to_have_text("Issued")
        expect(page.get_by_role("radio", name="2+", exact=True)).to_be_checked()
        expect(page.get_by_label("Comment")).to_have_value("faint rings")
        no_offence(page)
        if SHOTS:
            since.scroll_into_view_if_needed()
            page.screenshot(path=Path(SHOTS) / "measured_since.png")
