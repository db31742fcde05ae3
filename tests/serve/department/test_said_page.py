"""What the page says where something is wrong: in its own words, by name, and until it is dismissed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who

from ..conftest import no_offence
from .conftest import browser_of, finish, page_of, served, upload

SHOTS = os.environ.get("LOWPOWER_SHOTS")


def shot(page, name: str) -> None:
    """A picture in each size and colour for whoever wants to look: LOWPOWER_SHOTS names a folder."""
    if not SHOTS:
        return
    for width in (1366, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        for colours in ("light", "dark"):
            page.evaluate("(colours) => { document.documentElement.dataset.theme = colours; }", colours)
            page.screenshot(path=Path(SHOTS) / f"{name}_{width}_{colours}.png")


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def test_a_link_that_was_used_is_said_where_one_signs_in(department, browser, expect):
    link = department.accounts.link(Who("test", Role.ADMIN), Role.ADMIN)
    department.accounts.use_link(link, "Dr. A", "a sentence to keep in mind")
    with served(department) as address, browser.new_page() as page:
        page.goto(f"{address}/#link={link}")
        expect(page.locator(".gate .wrong")).to_contain_text("used")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        no_offence(page)
        shot(page, "used_link")


def test_a_slide_without_a_scale_is_told_what_to_do_on_the_page(department, browser, slide_file, expect):
    admin = browser_of(department)
    key = upload(admin, slide_file)
    first = admin.get("/v1/jobs").json()[0]["id"]
    file = f"/srv/hospital/data/slides/{key}/{key}.tif"
    refused = {
        "state": "refused", "decision": None, "file": file, "reason_code": "missing_mpp",
        "reason": f"{file}: has no microns per pixel (looked for tiff.XResolution); give it with --mpp, for "
        "instance --mpp 0.25, or in the manifest's column mpp.",
    }  # fmt: skip
    with page_of(department, browser) as page:
        expect(page.get_by_role("button", name="Cancel scoring")).to_be_visible()
        finish(department, first, **refused)
        said = page.locator("#said")
        expect(said).to_contain_text(f"{key} was not scored: has no microns per pixel")
        expect(page.get_by_label("Microns per pixel")).to_be_visible()
        page.get_by_text("How it was made").click()
        for place in (said, page.locator("aside"), page.locator("nav .reason")):
            expect(place).to_contain_text("no microns per pixel")
            expect(place).to_contain_text("beside the button that scores the slide")
            expect(place).not_to_contain_text("--mpp")
            expect(place).not_to_contain_text("/srv/hospital")
        no_offence(page)
        shot(page, "no_scale")
        page.get_by_label("Microns per pixel").fill("0.5")
        page.get_by_role("button", name="Score again").click()
        expect(page.get_by_role("button", name="Cancel scoring")).to_be_visible()
    assert admin.get("/v1/jobs", params={"active": True}).json()[0]["asked"]["mpp"] == 0.5


def test_of_several_files_each_refusal_is_a_line_with_its_name(department, browser, tmp_path, expect):
    names = ("notes.txt", "broken.svs", "empty.tif")
    for name in names:
        (tmp_path / name).write_bytes(b"" if name == "empty.tif" else b"no slide")
    with page_of(department, browser) as page:
        page.locator("input[type=file]").first.set_input_files([tmp_path / name for name in names])
        said = page.locator("#said")
        expect(said).to_contain_text("empty.tif: ")
        lines = said.locator("span").inner_text().splitlines()
        assert [line.split(": ")[0] for line in lines] == list(names)
        assert lines[2] == "empty.tif: is empty."
        no_offence(page)
        shot(page, "refused_files")
        dismiss = page.get_by_role("button", name="Dismiss this message")
        dismiss.press("Enter")
        expect(said).not_to_be_visible()
        assert page.evaluate("document.activeElement.id") == "help"  # not lost with the button


def test_escape_dismisses_a_message(department, browser, expect):
    with page_of(department, browser) as page:
        page.keyboard.press("m")
        said = page.locator("#said")
        expect(said).to_be_visible()
        page.keyboard.press("Escape")
        expect(said).not_to_be_visible()


def test_the_page_names_itself_once(department, browser, slide_file, expect):
    admin = browser_of(department)
    upload(admin, slide_file)
    finish(department, admin.get("/v1/jobs").json()[0]["id"])
    with page_of(department, browser) as page:
        page.locator("aside h2").wait_for()
        assert page.locator("header").inner_text().lower().count("lowpower") == 1
        expect(page).to_have_title("lowpower")
