"""A reader's way through the page, in a real browser."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import polars as pl
import pytest

from lowpower.geometry import read_regions

from .conftest import KEY, no_offence, shown


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

    page.get_by_role("button", name="Split").click()
    expect(page.locator("#plain canvas").first).to_be_visible()
    page.get_by_role("button", name="Split").click()

    save = page.get_by_role("button", name="Save review")
    page.get_by_role("radio", name="1+", exact=True).check()
    save.click()
    expect(page.get_by_role("status").last).to_contain_text("name")
    page.get_by_label("Reader").fill("Dr. A")
    with page.expect_response(re.compile(f"/slides/{KEY}.reader=Dr")):
        page.get_by_label("Comment").fill("faint rings")  # giving a name takes away nothing that was chosen
    save.click()
    expect(page.locator("nav .reviewed")).to_have_text(re.compile("1\\+|agreed"))
    (row,) = pl.read_csv(results / "reviews.csv", infer_schema=False).to_dicts()
    assert (row["reader"], row["score"], row["comment"]) == ("Dr. A", "1+", "faint rings")


def test_fields_that_a_guided_measurement_read_are_drawn(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    shown(page)
    assert page.get_by_label("Fields read").count() == 0  # all of this slide was measured
    told = json.loads((results / KEY / "result.json").read_text())
    between = {"value": 100.0, "low": 90.0, "high": 110.0}
    told["measured"]["reading"] = {
        "fields": 9, "read": 2, "boxes": [[400, 400, 500, 500], [1400, 1400, 500, 500]], "stopped": "settled",
        "shares": {}, "h_score": between, "chance": 0.01, "seed": 0, "sentence": "2 of 9 fields were read.",
    }  # fmt: skip
    (results / "told.json").write_text(json.dumps(told))
    # In one step: the page may be asking; and what is there is a link into what all tests share.
    (results / "told.json").replace(results / KEY / "result.json")
    page.reload()
    page.get_by_label("Fields read").check()
    expect(page.locator(".key")).to_contain_text("Field that was read")
    expect(page.locator("aside")).to_contain_text("2 of 9 fields were read.")
    page.wait_for_function(  # two outlines
        """() => {
            const canvas = document.querySelector("canvas.overlays");
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let count = 0;
            for (let i = 0; i < pixels.length; i += 4)
                if (pixels[i] < 20 && pixels[i + 1] > 100 && pixels[i + 3] > 200) count++;
            return count > 200;
        }"""
    )


def test_regions_are_drawn(page, results):
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator(".bar-text")).to_have_text(re.compile(r"\d+ (um|mm)"))
    page.get_by_role("button", name="Regions").click()
    page.get_by_role("button", name="Draw").click()
    sheet = page.locator(".sheet").bounding_box()
    page.mouse.move(sheet["x"] + 200, sheet["y"] + 200)
    page.mouse.down()
    for across, down in ((330, 200), (330, 300), (260, 330), (200, 300)):
        page.mouse.move(sheet["x"] + across, sheet["y"] + down, steps=3)
    page.mouse.up()
    expect(page.locator(".regions li")).to_have_count(1)
    assert read_regions(results / "regions" / f"{KEY}.geojson").counted == {"Tumor": 1}
    page.get_by_role("button", name="Remove region 1").click()
    expect(page.locator(".regions li")).to_have_count(0)


def test_a_click_on_a_cell_shows_its_numbers(page):
    playwright = pytest.importorskip("playwright.sync_api")
    expect = playwright.expect
    expect(page.locator(".bar-text")).to_have_text(re.compile(r"\d+ (um|mm)"))
    with page.expect_response(re.compile("/cells")):
        page.keyboard.press("c")
    field = page.locator("#viewer").bounding_box()
    numbers = page.get_by_text("Nucleus diameter, um")
    for across in range(0, 200, 24):  # cells lie close together here; two quick clicks at a place would zoom
        page.mouse.click(field["x"] + field["width"] / 2 + across, field["y"] + field["height"] / 2)
        with contextlib.suppress(playwright.TimeoutError):
            numbers.wait_for(timeout=3000)
            break
    expect(numbers).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everyone_can_use_it(page, colours):
    page.emulate_media(color_scheme=colours)
    page.reload()
    shown(page)
    for open_more in (None, "Regions", "Keys"):
        if open_more is not None:
            page.get_by_role("button", name=open_more).click()
        no_offence(page)


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


def test_a_report_is_taken_and_the_command_that_scores_again_names_the_slide(page, results):
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
    shown(page)
    page.get_by_role("button", name="Regions").click()
    page.get_by_role("button", name="Add field in sight").click()
    page.locator(".regions li").wait_for()
    said = page.locator(".regions p").last.inner_text()
    assert f"--regions {results.name}/regions --out {results.name}-again" in said
    assert json.loads((results / KEY / "result.json").read_text())["file"] in said


def test_nothing_that_is_needed_is_cut_off_or_covered_on_a_tablet(page):
    page.set_viewport_size({"width": 1024, "height": 768})
    shown(page)
    page.get_by_role("button", name="Regions").click()
    for name in ("Show", "Sort by"):  # what is chosen can be read to its end
        box = page.get_by_label(name, exact=True)
        text = box.evaluate(
            """(list) => {
                const pen = document.createElement("canvas").getContext("2d");
                pen.font = getComputedStyle(list).font;
                return Math.max(...[...list.options].map((one) => pen.measureText(one.text).width));
            }"""
        )
        assert box.bounding_box()["width"] > text + 30, name
    page.get_by_role("button", name="Add field in sight").click()
    page.locator("#said", has_text="kept").wait_for(state="attached")  # seen for a few seconds only
    panel, scale, said, slide = (
        page.locator(what).bounding_box() for what in (".regions", ".scale", "#said", "#stage")
    )
    assert panel["y"] + panel["height"] <= scale["y"]
    assert said["x"] + said["width"] <= slide["x"]  # a message covers no button


@pytest.mark.parametrize("width", [768, 1024, 1366])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nothing_is_cut_off_and_the_slide_has_room(browser, server, width, colours):
    """Held upright, held across, and on a small screen; fingers have room, too (WCAG 2.2, 24 px)."""
    height = {768: 1024}.get(width, 768)
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=colours, has_touch=width < 1366
    )
    page = context.new_page()
    page.goto(server.address)
    shown(page)
    page.keyboard.press("c")
    page.locator(".legend .check").first.wait_for()
    page.get_by_role("button", name="Regions").click()
    assert page.locator(".field").bounding_box()["width"] > 450
    label = page.locator(".opacity").evaluate("(label) => getComputedStyle(label).fontSize")
    assert float(label.removesuffix("px")) >= 12  # what the slider is for can be read
    reached = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input:not(.hush)")]
            .filter((one) => one.checkVisibility() && !one.closest(".facts, .rows, .option"))
            .map((one) => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, box]) => box.left < 0 || box.right > innerWidth || box.bottom > innerHeight)
            .map(([html]) => html)"""
    )
    assert reached == []
    no_offence(page)
    context.close()
