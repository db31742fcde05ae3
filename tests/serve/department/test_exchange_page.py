"""By the page: a slide is fetched from a real archive, and its report goes back."""

from __future__ import annotations

import json

import pytest

from .archives import ask, score
from .conftest import page_of


def kinds(orthanc: str) -> list[str]:
    """Modalities of the series that the archive holds."""
    with ask(f"{orthanc}/series?expand") as answer:
        return sorted(one["MainDicomTags"]["Modality"] for one in json.loads(answer.read()))


def test_a_slide_is_fetched_and_its_report_sent_by_buttons(archive, orthanc, browser, scored):
    expect = pytest.importorskip("playwright.sync_api").expect
    department, client = archive
    before = kinds(orthanc)
    with page_of(department, browser) as page:
        page.get_by_role("button", name="From elsewhere").click()
        page.get_by_label("Accession").fill("A-77")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("button", name="Fetch ").click()
        said = page.locator("#said")
        expect(said).to_contain_text("It is here as S-", timeout=60_000)
        page.get_by_role("button", name="Close").click()
        expect(page.locator("nav .rows > li")).to_have_count(1)
        page.locator("aside h2").wait_for()
        send = page.get_by_role("button", name="to the archive")
        assert send.count() == 0  # there is nothing to send yet

        (job,) = client.get("/v1/jobs").json()
        score(department, job["id"], scored)
        page.reload()
        send.click()
        expect(said).to_have_text("Sent to the archive.", timeout=30_000)
    assert kinds(orthanc) == sorted([*before, "ANN", "SR"])
