"""A department's day in a real browser: link, upload, blind review, regions, score again, report."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from lowpower.serve.department import verify_audit

from ..conftest import complaints_of, no_offence, shown
from .conftest import PASSWORD

SHOTS = os.environ.get("LOWPOWER_SHOTS")


def shot(page, name: str) -> None:
    """A picture for whoever wants to look: LOWPOWER_SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.mark.slow
def test_a_departments_day(browser, running, slide_file, monkeypatch, tmp_path):
    expect = pytest.importorskip("playwright.sync_api").expect
    (tmp_path / "scanner").mkdir()
    shutil.copy(slide_file, tmp_path / "scanner" / "other.tif")
    with (tmp_path / "scanner" / "other.tif").open("ab") as other:
        other.write(b"other bytes")
    monkeypatch.setenv("LOWPOWER_SERVE_ROOTS", str(tmp_path / "scanner"))
    monkeypatch.setenv("LOWPOWER_SERVE_DICOMWEB", "http://127.0.0.1:9/dicom-web")  # nobody answers there
    monkeypatch.setenv(
        "LOWPOWER_SERVE_MEASURE", "false"
    )  # what is measured has pages of its own in test_page
    running.start("--blind")
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    complaints = complaints_of(page, running.address)

    page.goto(f"{running.address}/#link={running.first_link()}")
    page.get_by_label(re.compile("^Name")).fill("Dr. A")
    page.get_by_label("Password").fill(PASSWORD)
    no_offence(page)
    shot(page, "link")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#who")).to_have_text("Dr. A, admin")
    assert "link" not in page.url

    page.locator("input[type=file]").first.set_input_files(slide_file)
    expect(page.get_by_role("status").last).to_contain_text("is here as S-")
    expect(page.locator("nav .state")).to_have_text(re.compile("Waiting|Being scored"))
    expect(page.locator(".bar-text")).to_have_text(re.compile(r"\d+ (um|mm)"))  # the slide, before any score
    shot(page, "scoring")
    expect(page.locator("nav .state")).to_have_text("To score", timeout=180_000)
    expect(page.locator(".review")).to_be_visible()
    expect(page.locator(".headline")).to_contain_text("Score this slide")
    assert page.get_by_text("Treatment cut-offs").count() == 0

    page.get_by_role("radio", name="1+", exact=True).check()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Treatment cut-offs")).to_be_visible()
    expect(page.locator(".history")).to_contain_text("Dr. A says 1+, blind")
    shown(page)  # anew: it may be seen with its answer now
    shot(page, "reviewed")

    page.get_by_role("button", name="Regions").click()
    page.get_by_role("button", name="Add field in sight").click()
    expect(page.locator(".regions li")).to_have_count(1)
    page.get_by_role("button", name="Control box").click()
    sheet = page.locator(".sheet").bounding_box()
    page.mouse.move(sheet["x"] + 150, sheet["y"] + 150)
    page.mouse.down()
    page.mouse.move(sheet["x"] + 190, sheet["y"] + 190, steps=4)
    page.mouse.up()
    expect(page.get_by_label("Remove the control box")).to_be_visible()
    no_offence(page)
    shot(page, "regions")
    page.get_by_role("button", name="Score again inside").click()
    expect(page.locator(".going-on").first).to_be_visible()
    expect(page.locator(".going-on")).to_have_count(0, timeout=180_000)
    expect(page.get_by_text("1 earlier answer")).to_be_visible()
    page.get_by_text("How it was made").click()
    expect(page.locator(".fact", has_text="1 Tumor")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")

    page.get_by_role("button", name="Charts").click()
    expect(page.get_by_text("HER2, who with whom")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Slides referred, 1 month"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"Slides whose likeliest score is .*: \d+\s%")).first).to_be_visible()
    no_offence(page)
    shot(page, "charts")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Model card").click()
    card = page.get_by_role("dialog", name="Model card")
    expect(card.get_by_role("heading", name="her2-sim", exact=True)).to_be_visible()
    expect(card.get_by_role("row", name="trained on").first).to_contain_text("imulated")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="People").click()
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("output.link")).to_contain_text("#link=")
    shot(page, "people")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="From elsewhere").click()
    page.get_by_label("Slides in folders of the service").select_option(
        str(tmp_path / "scanner" / "other.tif")
    )
    no_offence(page)
    shot(page, "elsewhere")
    page.get_by_label("Accession").fill("A-77")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("dialog #said")).to_contain_text("archive cannot be reached")  # not behind it
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#said")).to_contain_text("is here as S-")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("nav .rows > li")).to_have_count(2)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".gate .wrong")).to_have_text("Name or password is not right.")
    page.close()
    assert [text for text in complaints if "status of 401" not in text and "status of 502" not in text] == []

    department = running.department()
    assert verify_audit(department.database).problem is None
    department.database.close()
