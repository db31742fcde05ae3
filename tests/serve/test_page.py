"""A reader's way through the page, in a real browser."""

from __future__ import annotations

import os
import re
import shutil

import polars as pl
import pytest

from lowpower.serve import ViewServer
from lowpower.serve._page_files import PAGE

from .conftest import KEY


def unavailable(reason: str) -> None:
    """Skip, or fail where CI has installed what is missing."""
    if os.environ.get("CI") and not os.environ.get("LOWPOWER_NO_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        unavailable("there is no Chromium on this machine (Debian: apt-get install chromium)")
    if not (PAGE / "index.html").is_file():
        pytest.skip("the page is not built: neither Node nor its wheel, or no npm registry (hatch_build.py)")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def server(shelf):
    started = ViewServer(shelf).start()
    yield started
    started.close()


@pytest.fixture
def page(browser, server):
    """The page, open; at the end it must have complained of nothing and asked no other host."""
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    complaints: list[str] = []
    opened.on(
        "console", lambda message: message.type in ("error", "warning") and complaints.append(message.text)
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            request.url.startswith((server.address, "blob:", "data:")) or complaints.append(request.url)
        ),
    )
    opened.goto(server.address)
    yield opened
    opened.close()
    assert complaints == []


def test_look_zoom_overrule(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.get_by_text("Research use only").first).to_be_visible()
    expect(page.locator("aside h2")).to_have_text(KEY)
    expect(page.locator(".bar-text")).to_have_text(re.compile(r"\d+ (um|mm)"))

    page.keyboard.press("m")  # the network's map
    expect(page.get_by_label("Network's map")).to_be_checked()
    with page.expect_response(re.compile("/cells")):
        page.keyboard.press("c")
    seen = page.locator(".zoom-text").text_content()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(".zoom-text")).not_to_have_text(seen)

    save = page.get_by_role("button", name="Save review")
    page.get_by_role("radio", name="1+", exact=True).check()
    save.click()
    expect(page.get_by_role("status").last).to_contain_text("name")
    page.get_by_label("Reader").fill("Dr. A")
    page.get_by_label("Comment").fill("faint rings")
    page.wait_for_timeout(300)  # giving a name takes away nothing that was chosen
    save.click()
    expect(page.locator("nav .reviewed")).to_have_text(re.compile("1\\+|agreed"))
    (row,) = pl.read_csv(results / "reviews.csv", infer_schema=False).to_dicts()
    assert (row["reader"], row["score"], row["comment"]) == ("Dr. A", "1+", "faint rings")


def test_the_keyboard_alone_agrees(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    page.get_by_label("Reader").fill("Dr. B")
    page.get_by_label("Reader").blur()
    expect(page.locator("aside h2")).to_have_text(KEY)
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Save review")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("nav .reviewed")).to_have_text("✓ agreed")
    assert pl.read_csv(results / "reviews.csv")["verdict"].to_list() == ["agree"]
