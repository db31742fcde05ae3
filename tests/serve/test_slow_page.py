"""The page where answers are slow: what is clicked before they are there, and answers that cross."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import polars as pl
import pytest

from lowpower.geometry import read_regions
from lowpower.serve import Shelf, ViewServer

from .conftest import KEY, HeldBack, complaints_of, shown, until

NOT_SHOWN = "not shown yet"


def test_what_needs_the_slide_says_that_it_is_not_there_yet(page):
    expect = pytest.importorskip("playwright.sync_api").expect
    said = page.locator("#said.shown.wrong")
    shown(page)  # nothing of the first visit is on its way any more
    waiting = HeldBack(page, f"/slides/{KEY}")
    page.reload()
    until(page, lambda: waiting)
    page.keyboard.press("m")
    expect(said).to_contain_text(NOT_SHOWN)
    page.get_by_role("button", name="Regions").click()
    expect(page.locator(".regions")).to_be_visible()
    for button in ("Zoom in", "1:1", "Whole slide", "Turn left", "Draw"):
        page.get_by_role("button", name=button).click()
    page.evaluate("document.getElementById('said').className = ''")
    page.locator(".sheet").hover()
    page.mouse.down()
    expect(said).to_contain_text(NOT_SHOWN)
    page.mouse.up()
    waiting.pop().continue_()
    shown(page)
    page.evaluate("document.getElementById('said').className = ''")
    page.get_by_role("button", name="Turn right").focus()
    page.keyboard.press("x")  # no key of the page
    assert page.locator("#said.shown").count() == 0


def test_a_region_drawn_too_early_is_refused_aloud_and_costs_no_earlier_one(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    shown(page)
    page.get_by_role("button", name="Regions").click()
    add = page.get_by_role("button", name="Add field in sight")
    add.click()
    expect(page.locator(".regions li")).to_have_count(1)

    slide = HeldBack(page, f"/slides/{KEY}")
    page.reload()
    page.get_by_role("button", name="Regions").click()
    add.click()
    expect(page.locator("#said.shown.wrong")).to_contain_text(NOT_SHOWN)

    until(page, lambda: slide)
    regions = HeldBack(page, f"/slides/{KEY}/regions")
    slide.pop().continue_()
    shown(page)
    add.click()
    until(page, lambda: regions)
    regions.no_more()
    regions.pop().continue_()
    expect(page.locator(".regions li")).to_have_count(2)
    assert read_regions(results / "regions" / f"{KEY}.geojson").counted == {"Tumor": 2}


def test_regions_added_faster_than_they_are_kept_are_all_kept(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    shown(page)
    page.get_by_role("button", name="Regions").click()
    waiting = HeldBack(page, f"/slides/{KEY}/regions")
    for _ in range(2):
        page.get_by_role("button", name="Add field in sight").click()
    for _ in range(2):
        until(page, lambda: waiting)
        waiting.pop(0).continue_()
    expect(page.locator(".regions li")).to_have_count(2)
    waiting.no_more()
    page.get_by_role("button", name="Remove region 1").click()
    expect(page.locator(".regions li")).to_have_count(1)
    assert read_regions(results / "regions" / f"{KEY}.geojson").counted == {"Tumor": 1}


def test_the_slide_that_was_chosen_last_is_shown_however_slow_the_one_before(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    shown(page)
    shutil.copytree(results / KEY, results / "other")
    waiting = HeldBack(page, "/slides/other")
    page.reload()
    page.locator("nav [data-key=other]").click()
    until(page, lambda: waiting)
    page.locator(f"nav [data-key={KEY}]").click()
    expect(page.locator("aside h2")).to_have_text(KEY)
    with page.expect_response(re.compile("/slides/other$")):
        waiting.pop().continue_()
    page.wait_for_timeout(200)  # for what must not happen
    expect(page.locator("aside h2")).to_have_text(KEY)
    expect(page.locator("nav [aria-current]")).to_have_attribute("data-key", KEY)


def test_a_cell_that_was_left_before_its_numbers_came_is_not_shown(page):
    pytest.importorskip("playwright.sync_api")
    shown(page)
    with page.expect_response(re.compile("/cells")):
        page.keyboard.press("c")
    waiting = HeldBack(page, r"/cells/\d+")
    field = page.locator("#viewer").bounding_box()
    centre = field["x"] + field["width"] / 2, field["y"] + field["height"] / 2
    steps = iter(range(0, 10_000, 24))

    def clicked() -> bool:
        step = next(steps)
        page.mouse.click(centre[0] + step % 192, centre[1] + step // 192 * 24)
        page.wait_for_timeout(50)
        return bool(waiting)

    until(page, clicked)
    page.mouse.click(field["x"] + 5, field["y"] + field["height"] - 60)  # glass
    for route in waiting:
        route.continue_()
    page.wait_for_timeout(300)  # for what must not happen
    assert page.locator(".cell th").count() == 0


def test_an_older_worklist_does_not_take_the_place_of_a_newer_one(page):
    expect = pytest.importorskip("playwright.sync_api").expect
    shown(page)
    waiting = HeldBack(page, "/worklist")
    page.reload()
    until(page, lambda: waiting)
    told = page.request.get(waiting[0].request.url).json()
    page.get_by_label("Reader").fill("Dr. A")
    page.get_by_label("Reader").blur()
    until(page, lambda: len(waiting) == 2)
    waiting.pop().continue_()
    expect(page.locator("nav .rows > li")).to_have_count(1)
    waiting.pop().fulfill(json={**told, "rows": []})
    page.wait_for_timeout(200)  # for what must not happen
    expect(page.locator("nav .rows > li")).to_have_count(1)


def test_a_review_that_is_sent_twice_at_once_is_one(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    page.get_by_label("Reader").fill("Dr. A")
    page.get_by_label("Reader").blur()
    page.get_by_role("radio", name="1+", exact=True).check()
    page.evaluate("() => { for (const _ of [1, 2]) document.querySelector('form.review').requestSubmit(); }")
    expect(page.locator("nav .reviewed")).to_have_count(1)
    page.get_by_role("radio", name="2+", exact=True).check()
    page.get_by_role("button", name="Save review").click()
    expect(page.locator(".history li")).to_have_count(2)
    assert pl.read_csv(results / "reviews.csv", infer_schema=False)["score"].to_list() == ["1+", "2+"]


class Events:
    """What the server says of jobs, said when the test says so; the page asks anew after each."""

    def __init__(self, page: Any) -> None:
        self._page, self._waiting = page, HeldBack(page, "/events")

    def say(self, *lists: list[dict[str, Any]]) -> None:
        until(self._page, lambda: self._waiting)
        body = "".join(f"event: jobs\ndata: {json.dumps(jobs)}\n\n" for jobs in lists)
        self._waiting.pop(0).fulfill(content_type="text/event-stream", body=f"retry: 10\n\n{body}")


@pytest.fixture
def scoring_page(browser, results):
    """The page where slides can be scored; no job is really made."""
    server = ViewServer(Shelf(results), model="her2-sim").start()
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    complaints = complaints_of(opened, server.address)
    opened.route(re.compile("/v1/jobs/"), lambda route: route.fulfill(json={"state": "cancelled"}))
    yield opened, server.address
    opened.close()
    server.close()
    assert complaints == []


def job(slide: str = "another", **about: Any) -> dict[str, Any]:
    return {"id": slide, "slide": slide, "state": "running", "progress": 0.5, **about}


def test_the_slide_is_asked_for_once_though_jobs_are_told_meanwhile(scoring_page):
    page, address = scoring_page
    events, slide, lists = Events(page), HeldBack(page, f"/slides/{KEY}"), []
    page.on("request", lambda request: "/worklist" in request.url and lists.append(request))
    page.goto(address)
    until(page, lambda: slide)
    events.say([])
    until(page, lambda: len(lists) == 2)
    page.wait_for_timeout(200)  # for what must not happen
    assert len(slide) == 1
    slide.pop().continue_()
    shown(page)


def test_what_changes_while_the_worklist_is_on_its_way_is_asked_for_once_more(scoring_page):
    page, address = scoring_page
    events = Events(page)
    page.goto(address)
    shown(page)
    waiting = HeldBack(page, "/worklist")
    events.say([job()], [job(progress=0.6)], [job(progress=0.7)])
    until(page, lambda: waiting)
    waiting.pop().continue_()
    until(page, lambda: waiting)  # the last may have been told after the server had looked
    with page.expect_response(re.compile("/worklist")):
        waiting.pop().continue_()


def test_jobs_take_nothing_away_that_somebody_is_at(scoring_page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    record = json.loads((results / KEY / "result.json").read_text())
    record |= {"state": "refused", "reason": "no scale.", "reason_code": "missing_mpp", "answer": None}
    (results / KEY / "result.json").unlink()  # a link into what all tests share
    (results / KEY / "result.json").write_text(json.dumps(record))
    page, address = scoring_page
    events = Events(page)
    page.goto(address)
    scale, cancel = page.get_by_label("Microns per pixel"), page.get_by_role("button", name="Cancel scoring")

    def told(*jobs: dict[str, Any]) -> None:
        with page.expect_response(re.compile("/worklist")):
            events.say(list(jobs))

    told(job())
    scale.fill("0,25")
    told(job(progress=0.7))
    page.wait_for_timeout(200)  # for what must not happen
    expect(scale).to_be_focused()
    told(job(KEY, progress=0.1))  # somebody has it scored
    cancel.focus()
    told(job(KEY, progress=0.6))
    expect(page.locator("aside progress")).to_have_attribute("value", "0.6")
    expect(cancel).to_be_focused()
    told()
    expect(scale).to_have_value("0,25")
