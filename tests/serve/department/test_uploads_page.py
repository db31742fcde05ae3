"""Files that are dropped on the page: several slides at once, and those of one DICOM series together."""

from __future__ import annotations

import re
import shutil
import socket
import threading

import pytest
import uvicorn

from lowpower.serve.department import department_app
from lowpower.serve.department._accounts import Who
from lowpower.serve.department._roles import Role

from .conftest import PASSWORD


@pytest.fixture
def page(department, browser):
    """The page of a department in this process, signed in; nothing is scored."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        department_app(department), log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    link = department.accounts.link(Who("test", Role.ADMIN), Role.ADMIN)
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    opened.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/#link={link}")
    opened.get_by_label(re.compile("^Name")).fill("Dr. A")
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Go on").click()
    opened.locator("#who").wait_for()
    yield opened
    opened.close()
    server.should_exit = True
    thread.join(20)
    listening.close()


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
