"""A small simulated slide, really scored and measured; each test has the results folder to itself."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

import lowpower as lp
from lowpower.files import locked
from lowpower.serve import Shelf, ViewServer, view_app
from lowpower.serve._page_files import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

TOKEN = "the-token"
KEY = "simulated-her2"


@pytest.fixture(scope="session")
def scored(tmp_path_factory) -> Path:
    """The folder of results, made once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    # Of several processes each has a base of its own, in the run's.
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "lowpower-scored"
    with locked(home / "once.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWPOWER_CACHE", str(base.parent / "lowpower-sample"))
        slide = home / f"{KEY}.tif"
        if not slide.exists():
            shutil.copy(lp.sample(), slide)
        lp.score_files([slide], out=home / "results")
    return home / "results"


@pytest.fixture
def results(scored, tmp_path) -> Path:
    shutil.copytree(scored, tmp_path / "results", copy_function=os.link)
    return tmp_path / "results"


@pytest.fixture
def shelf(results) -> Shelf:
    return Shelf(results)


@pytest.fixture
def client(shelf) -> TestClient:
    """Speaks to the page's server as the browser does, token and all."""
    return TestClient(view_app(shelf, TOKEN), base_url=f"http://127.0.0.1:8000/{TOKEN}/")


@pytest.fixture
def one_line_page(tmp_path, monkeypatch) -> Path:
    """A page of one line, so that the server is tried where the true one was not built."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<p>page</p>")
    monkeypatch.setattr("lowpower.serve._page_files.PAGE", folder)
    monkeypatch.setattr("lowpower.serve._app.PAGE", folder)
    return folder


def unavailable(reason: str) -> None:
    """Skip, or fail where CI has installed what is missing."""
    if os.environ.get("CI") and not os.environ.get("LOWPOWER_NO_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


def no_offence(page) -> None:
    """WCAG 2.0 to 2.2, A and AA, and what axe calls good practice, as far as axe can tell.

    axe comes with the page's own build.
    """
    axe = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
    if not axe.is_file():
        unavailable("axe-core is not there (it comes with building the page from web/)")
    page.evaluate(axe.read_text(encoding="utf-8"))
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", rules)
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        unavailable("there is no Chromium on this machine (Debian: apt-get install chromium)")
    if not (PAGE / "index.html").is_file():
        pytest.skip("the page is not built: neither Node nor its wheel, or no npm registry (hatch_build.py)")
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(
            timeout=60_000
        )  # it costs time only where a test fails, and machines are slow
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


def complaints_of(page: Page, address: str) -> list[str]:
    """What the page will complain of, and what it will ask of other hosts."""
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: message.type == "error" and complaints.append(f"{message.text} {message.location}"),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: request.url.startswith((address, "blob:", "data:")) or complaints.append(request.url),
    )
    return complaints


@pytest.fixture
def server(shelf) -> Iterator[ViewServer]:
    started = ViewServer(shelf).start()
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser, server: ViewServer) -> Iterator[Page]:
    """The page, open; at the end it must have complained of nothing and asked no other host."""
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    complaints = complaints_of(opened, server.address)
    opened.goto(server.address)
    yield opened
    opened.close()
    assert complaints == []


def shown(page: Page) -> None:
    """Wait until the slide is there: of one that is on its way the scale says nothing."""
    page.locator(".bar-text").wait_for()


class HeldBack(list["Route"]):
    """Requests whose address ends so: they wait to be let go, until no more are held back."""

    def __init__(self, page: Page, path: str) -> None:
        self._page, self._pattern = page, re.compile(path + r"(\?|$)")
        page.route(self._pattern, lambda route: self.append(route))

    def no_more(self) -> None:
        self._page.unroute(self._pattern)


def until(page: Page, true: Callable[[], object]) -> None:
    """Look again and again while the page goes on."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        page.wait_for_timeout(20)
