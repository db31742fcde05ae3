"""Studies on the page: how far each is, and its report."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowpower.serve.child import ScoringError

from ..conftest import no_offence
from .conftest import browser_of, page_of
from .test_said_page import shot
from .test_studies import STUDY, Ran, ask, worker_of


def test_studies_are_listed_with_their_state_and_report(open_with, browser, tmp_path):
    expect = pytest.importorskip("playwright.sync_api").expect
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "study.yaml").write_text(STUDY)
    department = open_with(study_roots=(studies,))
    admin = browser_of(department)
    with page_of(department, browser) as page:
        page.get_by_role("button", name="Studies").click()
        dialog = page.get_by_role("dialog", name="Studies")
        expect(dialog).to_contain_text("No study has been asked for yet")

        first = ask(admin, studies).json()["id"]
        row = dialog.locator("tbody tr")
        expect(row).to_contain_text("study.yaml")  # by itself, as jobs are told
        expect(row).to_contain_text("Waits")
        expect(row).to_contain_text("Dr. A")
        expect(row.get_by_role("link")).to_have_count(0)

        seen = []

        def half(progress, wanted) -> None:
            progress(0.5)
            expect(row).to_contain_text("Being run, 50 %")
            seen.append(wanted())

        worker_of(department, Ran(does=half)).run(first)
        expect(row).to_contain_text("Done")
        assert seen == [True]
        with page.expect_download() as download:
            row.get_by_role("link", name="Report").click()
        assert Path(download.value.path()).read_text() == "report.html of study.yaml"

        def fails(progress, wanted) -> None:
            raise ScoringError("config", "the configuration is wrong.")

        second = ask(admin, studies, force=True).json()["id"]
        expect(row).to_have_count(2)
        worker_of(department, Ran(does=fails)).run(second)
        expect(row.first).to_contain_text("Came to no end")
        expect(row.first).to_contain_text("the configuration is wrong.")
        no_offence(page)
        shot(page, "studies")


def test_there_is_no_button_where_no_studies_are_run(department, browser):
    with page_of(department, browser) as page:
        assert page.get_by_role("button", name="Studies").count() == 0
