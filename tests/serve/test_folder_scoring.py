"""Slides that have no result yet, scored from the page of `lowpower view`."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from pathlib import Path

import polars as pl
import pytest
import tifffile
from starlette.testclient import TestClient

import lowpower as lp
from lowpower.errors import ConfigError
from lowpower.scoring import MeasuredSlide
from lowpower.serve import Shelf, ViewServer, view_app
from lowpower.serve.child import ScoringError
from lowpower.serve.folder import FolderScoring, _folder_scoring

from .conftest import KEY, TOKEN, complaints_of, shown

BASE = f"http://127.0.0.1:8000/{TOKEN}/"


class PretendedScorer:
    """In place of the process: takes its time until it is let go, and copies a result that is there."""

    made: Path
    go: threading.Event

    def __init__(self, **_) -> None:
        self.asked = []
        PretendedScorer.last = self

    def score(self, slide, out, request, *, verb, keep_earlier, progress, wanted):
        assert keep_earlier
        self.asked.append((Path(slide).name, request))
        self.verb = verb
        progress(0.5)
        while not self.go.wait(0.02):
            if not wanted():
                raise ScoringError("cancelled", "it was cancelled.")
        if "bad" in slide.name:
            raise ScoringError("not_a_slide", f"{slide}: is no slide.")
        folder = out / f"{slide.stem}-its"
        shutil.copytree(self.made, folder, dirs_exist_ok=True)
        record = (folder / "result.json").read_text()
        (folder / "result.json").write_text(re.sub(r'"file": "[^"]*"', f'"file": "{slide}"', record))
        return folder

    def end(self) -> None:
        pass


@pytest.fixture
def folder(tmp_path, scored, monkeypatch):
    """A folder of slides that nobody scored, seen by a browser."""
    slides = tmp_path / "slides"
    (slides / "more").mkdir(parents=True)
    for name in ("one.tif", "more/one.tif", "bad.tif"):
        (slides / name).hardlink_to(scored.parent / f"{KEY}.tif")
    PretendedScorer.made, PretendedScorer.go = scored / KEY, threading.Event()
    monkeypatch.setattr(_folder_scoring, "Scorer", PretendedScorer)
    shelf = Shelf.beside(slides)
    scoring = FolderScoring(shelf, "her2-sim")
    yield TestClient(view_app(shelf, TOKEN, scoring=scoring), base_url=BASE), shelf
    scoring.close()


def states(client) -> dict[str, str]:
    return {row["key"]: row["state"] for row in client.get("v1/worklist").json()["rows"]}


def until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_slides_without_a_result_are_shown_and_scored_one_after_another(folder):
    client, shelf = folder
    assert not shelf.folder.exists()
    assert states(client) == {"bad": "unscored", "one": "unscored", "one (2)": "unscored"}
    told = client.get("v1/slides/one (2)").json()
    assert (told["state"], told["record"], told["image"]["mpp"]) == (
        "unscored",
        None,
        pytest.approx(0.5, rel=0.02),
    )
    assert client.get("v1/slides/one/tiles/9/0_0.jpg").status_code == 200

    first = client.post("v1/jobs", json={"slide": "one"}).json()
    assert client.post("v1/jobs", json={"slide": "one"}).json()["id"] == first["id"]  # asked already
    second = client.post("v1/jobs", json={"slide": "bad"}).json()
    third = client.post("v1/jobs", json={"slide": "one (2)"}).json()
    until(lambda: states(client)["one"] == "running")
    assert (states(client)["bad"], states(client)["one (2)"]) == ("waiting", "waiting")
    assert client.post(f"v1/jobs/{third['id']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"v1/jobs/{third['id']}/cancel").status_code == 409
    PretendedScorer.go.set()
    until(lambda: client.get(f"v1/jobs/{second['id']}").json()["state"] == "failed")
    assert client.get(f"v1/jobs/{second['id']}").json()["reason"] == "is no slide."
    assert states(client)["one (2)"] == "cancelled"
    # The page still knows it by the name that it had before.
    assert client.get("v1/slides/one").json()["key"] == "one-its"
    assert states(client)["one-its"] in ("issued", "referred")
    assert client.post("v1/jobs", json={"slide": "none"}).status_code == 422
    assert [name for name, _ in PretendedScorer.last.asked] == ["one.tif", "bad.tif"]


def test_a_running_one_is_ended_at_a_word(folder):
    client, _ = folder
    job = client.post("v1/jobs", json={"slide": "one"}).json()["id"]
    until(lambda: states(client)["one"] == "running")
    client.post(f"v1/jobs/{job}/cancel")
    until(lambda: states(client)["one"] == "cancelled")
    assert client.get("v1/jobs/none").status_code == 404


def test_inside_what_is_drawn_and_with_the_control_box(folder):
    client, shelf = folder
    assert client.post("v1/jobs", json={"slide": "one", "regions": True}).status_code == 422
    square = [[0, 0], [500, 0], [500, 500], [0, 500], [0, 0]]
    drawn = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [square]}, "properties": {}}
    client.put("v1/slides/one/regions", json={"type": "FeatureCollection", "features": [drawn]})
    PretendedScorer.go.set()
    job = client.post("v1/jobs", json={"slide": "one", "regions": True, "control": "1,2,3,4"}).json()["id"]
    until(lambda: client.get(f"v1/jobs/{job}").json()["state"] == "done")
    (asked,) = [request for _, request in PretendedScorer.last.asked]
    assert asked == {
        "model": "her2-sim", "control": "1,2,3,4", "regions": str(shelf.folder / "regions" / "one.geojson"),
        "laboratory": None, "mpp": None,
    }  # fmt: skip
    assert client.post("v1/jobs", json={"slide": "../one", "regions": True}).status_code == 422


@pytest.fixture
def scored_already(results, scored, monkeypatch):
    """A folder of results alone, and a way to change what a record says."""
    PretendedScorer.made, PretendedScorer.go = scored / KEY, threading.Event()
    monkeypatch.setattr(_folder_scoring, "Scorer", PretendedScorer)
    scoring = FolderScoring(Shelf(results), "her2-sim")

    def told(name: str = "result.json", **about) -> None:
        path = results / KEY / name
        record = json.loads((results / KEY / "result.json").read_text())
        path.unlink(missing_ok=True)  # a link into what all tests share
        record["asked"] |= about.pop("asked", {})
        path.write_text(json.dumps(record | about))

    yield TestClient(view_app(scoring._shelf, TOKEN, scoring=scoring), base_url=BASE), told
    scoring.close()


def test_a_slide_is_scored_again_as_the_first_time_but_for_regions_and_control(scored_already, results):
    client, told = scored_already
    told(asked={"mpp": 0.51, "control": "left", "force": True, "seed": 7})
    assert client.get("v1/worklist").json()["scores"]
    square = [[0, 0], [500, 0], [500, 500], [0, 500], [0, 0]]
    drawn = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [square]}, "properties": {}}
    client.put(f"v1/slides/{KEY}/regions", json={"type": "FeatureCollection", "features": [drawn]})
    job = client.post("v1/jobs", json={"slide": KEY, "regions": True}).json()
    until(lambda: client.get(f"v1/jobs/{job['id']}").json()["progress"] == 0.5)
    (row,) = client.get("v1/worklist").json()["rows"]
    assert (row["state"], row["progress"]) == (client.get(f"v1/slides/{KEY}").json()["state"], 0.5)
    PretendedScorer.go.set()
    until(lambda: client.get(f"v1/jobs/{job['id']}").json()["state"] == "done")
    other = client.post("v1/jobs", json={"slide": KEY, "control": "1,2,3,4", "mpp": 0.25}).json()
    until(lambda: client.get(f"v1/jobs/{other['id']}").json()["state"] == "done")
    (_, first), (_, second) = PretendedScorer.last.asked
    kept = {"model": "her2-sim", "mpp": 0.51, "force": True, "seed": 7, "measure": True, "effort": "full"}
    assert {name: first[name] for name in kept} == kept
    assert (first["control"], first["regions"]) == ("left", str(results / "regions" / f"{KEY}.geojson"))
    assert (second["control"], second["regions"], second["mpp"]) == ("1,2,3,4", None, 0.25)


def test_what_is_measured_is_measured_again(scored_already, results):
    client, _ = scored_already
    record = json.loads((results / KEY / "result.json").read_text())
    fields = {name: record[name] for name in ("file", "slide_sha256", "state", "software_version")}
    measured = MeasuredSlide(marker="HER2", **fields)
    (results / KEY / "result.json").unlink()
    (results / KEY / "measurement.json").write_text(measured.model_dump_json())
    PretendedScorer.go.set()
    assert client.post("v1/jobs", json={"slide": KEY}).status_code == 201
    until(lambda: PretendedScorer.last.asked)
    assert (PretendedScorer.last.verb, PretendedScorer.last.asked[0][1]["marker"]) == ("measure", "HER2")


def test_the_very_bundle_that_scored_it_is_found_beside_the_results(scored_already, results):
    client, told = scored_already
    told(model={"name": "ours", "version": "1", "sha256": "a" * 64, "trained_on": "x"})
    for name, digest in (("other", "b" * 64), ("run/bundle", "a" * 64)):
        folder = results.parent / name
        folder.mkdir(parents=True)
        (folder / "bundle.json").write_text(json.dumps({"name": "ours", "weights_sha256": digest}))
    PretendedScorer.go.set()
    assert client.post("v1/jobs", json={"slide": KEY}).status_code == 201
    until(lambda: PretendedScorer.last.asked)
    assert PretendedScorer.last.asked[0][1]["model"] == str(results.parent / "run" / "bundle")


@pytest.mark.parametrize(
    ("about", "given", "said"),
    [
        ({"model": {"name": "ours", "version": "1", "sha256": "0", "trained_on": "x"}}, {}, "--model BUNDLE"),
        ({"asked": {"laboratory": "north (0123)"}}, {}, "--laboratory FILE"),
        ({"asked": {"mask": "mask.png 0123"}}, {}, "by a mask"),
        ({"asked": {"control": "control.png 0123"}}, {}, "by a file"),
        ({"file": "gone.tif"}, {}, "--slides DIR"),
        ({}, {"control": "/etc/passwd"}, "control tissue is auto"),
        ({}, {"regions": True}, "no region is drawn"),
        ({}, {"slide": "../other"}, "is no slide"),
    ],
)
def test_what_could_only_be_guessed_is_refused(scored_already, about, given, said):
    client, told = scored_already
    told(**about)
    answer = client.post("v1/jobs", json={"slide": KEY, **given})
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.json()


def test_answers_that_gave_way_are_told_of_the_same_slide(client, results):
    assert client.get(f"v1/slides/{KEY}").json()["earlier"] == []
    record = json.loads((results / KEY / "result.json").read_text())
    for number, about in ((1, {}), (2, {"control": "none"}), (3, {"slide_sha256": "f" * 64})):
        aside = results / f"set-aside-{number}" / KEY / "result.json"
        aside.parent.mkdir(parents=True)
        aside.write_text(json.dumps(record | about))
        os.utime(aside, (1_000_000_000 + number,) * 2)
    told = client.get(f"v1/slides/{KEY}").json()
    assert [one["control"] for one in told["earlier"]] == ["none", "auto"]
    assert (told["earlier"][1]["headline"], told["earlier"][1]["written"]) == (
        told["headline"],
        "2001-09-09T01:46:41Z",
    )
    assert [row["key"] for row in client.get("v1/worklist").json()["rows"]] == [KEY]


def test_results_are_shown_beside_slides_that_have_none(results, tmp_path, scored):
    slides = tmp_path / "slides"
    slides.mkdir()
    (slides / "new.tif").hardlink_to(scored.parent / f"{KEY}.tif")
    shelf = Shelf.beside(results, slides)
    scoring = FolderScoring(shelf, "her2-sim")
    client = TestClient(view_app(shelf, TOKEN, scoring=scoring), base_url=BASE)
    assert set(states(client)) == {KEY, "new"}
    assert client.get("v1/worklist").json()["scores"]
    alone = TestClient(view_app(shelf, TOKEN), base_url=BASE)
    assert set(states(alone)) == {KEY}
    assert alone.post("v1/jobs", json={"slide": "new"}).status_code in (404, 405)


def test_a_folder_without_slides_and_results_is_said(tmp_path):
    with pytest.raises(ConfigError, match="holds no results"):
        Shelf.beside(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        Shelf.beside(tmp_path / "nowhere")


def test_who_knows_the_scale_says_it(scored_already, results, browser):
    expect = pytest.importorskip("playwright.sync_api").expect
    _, told = scored_already
    told(state="refused", reason="says no microns per pixel.", reason_code="missing_mpp", answer=None)
    PretendedScorer.go.set()
    server = ViewServer(Shelf(results), model="her2-sim").start()
    page = browser.new_page()
    page.goto(server.address)
    page.get_by_role("button", name="Score again").click()
    expect(page.locator("#said")).to_contain_text("microns per pixel first")
    page.get_by_label("Microns per pixel").fill("0,25")
    page.get_by_role("button", name="Score again").click()
    until(lambda: PretendedScorer.last.asked)
    page.close()
    server.close()
    assert PretendedScorer.last.asked[0][1]["mpp"] == 0.25


@pytest.mark.slow
def test_from_a_folder_of_slides_to_a_score(browser, tmp_path, scored):
    """In the browser, and by the process that really scores."""
    expect = pytest.importorskip("playwright.sync_api").expect
    slides = tmp_path / "slides"
    slides.mkdir()
    with lp.open_slide(scored.parent / f"{KEY}.tif") as slide:
        pixels = slide.read(lp.Box(700, 700, 1024, 1024), 0.5)
    for number, name in enumerate(("first", "second")):
        told = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER", "tile": (256, 256)}
        tifffile.imwrite(slides / f"{name}.tif", pixels[number:], photometric="rgb", **told)
    server = ViewServer(Shelf.beside(slides), model="her2-sim").start()
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    complaints = complaints_of(page, server.address)
    try:
        page.goto(server.address)
        expect(page.locator("nav .state")).to_have_text(["Not scored", "Not scored"])
        expect(page.get_by_role("button", name="Score all 2 that have no result")).to_be_visible()
        expect(page.locator(".bar-text")).to_have_text(re.compile(r"\d+ (um|mm)"))
        page.get_by_role("button", name="Score", exact=True).click()
        expect(page.locator("aside .going-on")).to_be_visible()
        expect(page.get_by_text("Treatment cut-offs")).to_be_visible(timeout=180_000)
        expect(page.locator("nav .state").last).to_have_text("Not scored")
        results = tmp_path / "slides-results"
        first = json.loads((results / "first" / "result.json").read_text())
        shown(page)
        page.get_by_role("button", name="Regions").click()
        page.get_by_role("button", name="Add field in sight").click()
        page.get_by_role("button", name="Score again inside").click()
        expect(page.locator("nav progress")).to_be_visible()
        expect(page.get_by_text("1 earlier answer")).to_be_visible(timeout=180_000)
        page.get_by_text("1 earlier answer").click()
        expect(page.locator("aside")).to_contain_text("whole slide, control tissue auto")
        again = json.loads((results / "first" / "result.json").read_text())
        assert (first["regions"], again["regions"]["counted"]) == (None, {"Tumor": 1})
        assert json.loads((results / "set-aside-1" / "first" / "result.json").read_text()) == first
        assert pl.read_csv(results / "results.csv")["folder"].to_list() == ["first"]
    finally:
        page.close()
        server.close()
    assert complaints == []
