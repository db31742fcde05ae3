"""Files that are dropped on the page: several slides at once, and those of one DICOM series together."""

from __future__ import annotations

import shutil

import pytest

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
