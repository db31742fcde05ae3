"""Files that are dropped on the page: several slides at once, and those of one DICOM series together."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import select

from lowpower.serve.department.records import Slide

from ..conftest import no_offence
from .conftest import page_of


@pytest.fixture
def page(department, browser):
    with page_of(department, browser) as opened:
        yield opened


def test_several_files_are_several_slides_and_a_dicom_series_is_one(
    page, department, slide_file, series, tmp_path
):
    expect = pytest.importorskip("playwright.sync_api").expect
    shutil.copy(slide_file, tmp_path / "one.tif")
    half = [series / "1.dcm", series / "label.dcm"]
    page.locator("input[type=file]").first.set_input_files([tmp_path / "one.tif", *half])
    said = page.locator("#said")
    expect(said).to_contain_text("1.dcm and 1 more: Its full resolution is missing", timeout=60_000)
    expect(page.locator("nav .rows > li")).to_have_count(1)
    page.locator("input[type=file]").first.set_input_files(series / "0.dcm")
    expect(said).to_contain_text("0.dcm is here as S-", timeout=60_000)
    expect(page.locator("nav .rows > li")).to_have_count(2)
    slides = department.settings.data / "slides"
    assert sorted(len(list(one.rglob("*.dcm"))) for one in slides.iterdir()) == [0, 2]


def test_the_laboratory_that_was_named_once_is_said_of_what_is_added(page, department, slide_file):
    expect = pytest.importorskip("playwright.sync_api").expect
    page.get_by_role("button", name="Laboratory").click()  # there is no elsewhere
    page.get_by_label("Laboratory that stained the slides").fill("North")
    no_offence(page)
    page.get_by_role("button", name="Close").click()
    page.locator("input[type=file]").first.set_input_files(slide_file)
    expect(page.locator("#said")).to_contain_text(", stained by North, and is being scored", timeout=60_000)
    with department.database.read() as session:
        assert session.scalars(select(Slide.laboratory)).all() == ["North"]
