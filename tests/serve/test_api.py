"""The page's HTTP interface on a slide that was really scored."""

from __future__ import annotations

import json
import os
import shutil
from io import BytesIO

import numpy as np
import polars as pl
import pytest
import shapely
from PIL import Image
from starlette.testclient import TestClient

import lowpower as lp
from lowpower.errors import ConfigError
from lowpower.geometry import read_regions
from lowpower.serve import Shelf, view_app
from lowpower.units import Box

from .conftest import KEY, TOKEN

SLIDE = f"v1/slides/{KEY}"


def test_the_worklist_says_what_the_record_says(client, results):
    told = client.get("v1/worklist").json()
    record = json.loads((results / KEY / "result.json").read_text())
    (row,) = told["rows"]
    assert told["notice"] == "Research use only: not a medical device."
    assert row["key"] == KEY
    assert row["score"] == record["answer"]["likeliest"]
    assert row["state"] == ("issued" if record["answer"]["issued"] else "referred")
    assert [mark["answer"] for mark in row["cutoffs"]] == [c["answer"] for c in record["answer"]["cutoffs"]]
    assert row["reason"] == record["reason"]


def test_a_slide_carries_its_record_and_how_to_ask_for_tiles(client, results):
    told = client.get(SLIDE).json()
    assert told["record"] == json.loads((results / KEY / "result.json").read_text())
    assert told["image"]["mpp"] == pytest.approx(0.5, rel=0.02)
    assert len(told["cells"]) == 5
    assert "overlay" in told["pictures"]
    assert "network" in told["shapes"]


def test_tiles_are_the_slide(client, shelf):
    image = client.get(SLIDE).json()["image"]
    with lp.open_slide(shelf.slide_file(shelf.entries()[KEY])) as slide:
        for level, column, row in ((image["top_level"], 4, 4), (image["top_level"] - 2, 1, 1), (3, 0, 0)):
            answer = client.get(f"{SLIDE}/tiles/{level}/{column}_{row}.jpg")
            assert answer.headers["content-type"] == "image/jpeg"
            seen = np.asarray(Image.open(BytesIO(answer.content)), float)
            factor = 2 ** (image["top_level"] - level)
            side = 256 * factor
            width, height = (
                min(side, size - at * side) for size, at in zip(slide.size, (column, row), strict=True)
            )
            pixels = slide.read(Box(column * side, row * side, width, height), float(slide.mpp) * factor)
            assert seen.shape == pixels.shape
            assert np.abs(seen - pixels).mean() < 6


@pytest.mark.parametrize("tile", ["99/0_0", "-1/0_0", "12/500_0", "12/-1_0"])
def test_a_tile_that_is_none_is_not_found(client, tile):
    assert client.get(f"{SLIDE}/tiles/{tile}.jpg").status_code == 404


def unpack(data: bytes) -> tuple[int, dict[str, np.ndarray]]:
    count, total = np.frombuffer(data, "<u4", 2)
    columns, at = {}, 8
    for name, kind in (("x", "<f4"), ("y", "<f4"), ("radius", "<f4"), ("number", "<u4"), ("kind", "u1")):
        columns[name] = np.frombuffer(data, kind, count, at)
        at += columns[name].nbytes
    assert at == len(data)
    return int(total), columns


def test_cells_of_a_box_are_those_of_the_table(client, results):
    table = pl.read_parquet(results / KEY / "cells.parquet")
    box = {"x": 800, "y": 800, "width": 400, "height": 300}
    inside = table.filter(
        pl.col("x").is_between(800, 1200, "left"), pl.col("y").is_between(800, 1100, "left")
    )
    total, cells = unpack(client.get(f"{SLIDE}/cells", params=box).content)
    assert total == len(inside) > 10
    assert sorted(cells["x"]) == pytest.approx(sorted(inside["x"]))
    names = [one["name"] for one in client.get(SLIDE).json()["cells"]]
    told = client.get(f"{SLIDE}/cells/{cells['number'][0]}").json()
    assert told["class"] == names[cells["kind"][0]]
    diameter = 2 * cells["radius"][0] * client.get(SLIDE).json()["image"]["mpp"]
    assert told["numbers"]["diameter"] == pytest.approx(diameter, rel=1e-3)


def test_too_many_cells_are_thinned_and_counted(client, results, monkeypatch):
    monkeypatch.setattr("lowpower.serve._api._MOST_CELLS", 50)
    whole = {"x": 0, "y": 0, "width": 1e6, "height": 1e6}
    total, cells = unpack(client.get(f"{SLIDE}/cells", params=whole).content)
    assert len(cells["x"]) == 50
    assert total == pl.read_parquet(results / KEY / "cells.parquet").height


@pytest.mark.parametrize("query", ["", "?x=nan&y=0&width=1&height=1", "?x=0&y=0&width=inf&height=1", "?x=a"])
def test_a_box_that_is_none_is_refused(client, query):
    assert client.get(f"{SLIDE}/cells{query}").status_code == 422


@pytest.mark.parametrize(
    "address", ["/", "/wrong/", "/wrong/v1/worklist", f"/{TOKEN}x/v1/worklist", "/v1/worklist"]
)
def test_without_the_token_nothing_is_told(shelf, address):
    stranger = TestClient(view_app(shelf, TOKEN), base_url="http://127.0.0.1:8000")
    answer = stranger.get(address)
    assert answer.status_code == 403
    assert KEY not in answer.text
    assert stranger.post(f"/wrong/{SLIDE}/reviews", json={}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000"])
def test_another_name_of_this_machine_is_refused(client, host):
    assert client.get("v1/worklist", headers={"Host": host}).status_code == 400


def test_no_other_host_is_ever_asked(client):
    policy = client.get("v1/worklist").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert client.get(SLIDE).headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "v1/slides/..%2Fresults",
        "v1/slides/%2e%2e",
        "v1/slides/.lowpower",
        "v1/slides/%00",
        f"v1/slides/{KEY}%2F..%2F{KEY}",
        f"v1/slides/..%5Cresults%5C{KEY}",
        "v1/slides/.",
        f"{SLIDE}/pictures/result.json",
        f"{SLIDE}/pictures/..%2Fresult.json",
        f"{SLIDE}/shapes/..%2F..%2Fresults.csv",
        f"{SLIDE}/shapes/cells.parquet",
        "assets/..%2F..%2F_app.py",
        "..%2F_app.py",
        "%2e%2e/_app.py",
        "..%5C_app.py",
    ],
)
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code in (400, 403, 404)


def test_a_link_out_of_the_slides_folder_is_not_followed(client, results, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    (results / KEY / "overlay.png").unlink()
    (results / KEY / "overlay.png").symlink_to(secret)
    assert client.get(f"{SLIDE}/pictures/overlay").status_code == 404
    assert "overlay" not in client.get(SLIDE).json()["pictures"]


def test_a_slide_that_is_gone_is_said_and_its_pictures_remain(results, tmp_path):
    record = results / KEY / "result.json"
    told = json.loads(record.read_text()) | {"file": "/nowhere/gone.tif"}
    record.unlink()
    record.write_text(json.dumps(told))
    client = TestClient(view_app(Shelf(results), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    slide = client.get(SLIDE).json()
    assert slide["image"] is None
    assert "gone.tif" in slide["missing"]
    assert "no longer there" in slide["missing"]
    assert client.get(f"{SLIDE}/pictures/overlay").headers["content-type"] == "image/png"
    assert client.get(f"{SLIDE}/tiles/9/0_0.jpg").status_code == 409


def test_slides_that_moved_are_found_by_name_in_the_folder_that_is_named(results, scored, tmp_path):
    record = results / KEY / "result.json"
    told = json.loads(record.read_text()) | {"file": f"/nowhere/{KEY}.tif"}
    record.unlink()
    record.write_text(json.dumps(told))
    app = view_app(Shelf(results, slides=scored.parent), TOKEN)
    client = TestClient(app, base_url=f"http://127.0.0.1/{TOKEN}/")
    assert client.get(SLIDE).json()["image"]["width"] > 1000


def test_another_slide_under_the_old_path_is_not_shown(results, scored, tmp_path):
    other = tmp_path / "other.tif"
    shutil.copy(scored.parent / f"{KEY}.tif", other)
    with other.open("ab") as stream:
        stream.write(b"\0")
    record = results / KEY / "result.json"
    told = json.loads(record.read_text()) | {"file": str(other)}
    record.unlink()
    record.write_text(json.dumps(told))
    later = record.stat().st_mtime_ns + 10**9
    os.utime(other, ns=(later, later))
    client = TestClient(view_app(Shelf(results), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    assert "another slide" in client.get(SLIDE).json()["missing"]


def test_a_folder_without_results_says_how_to_make_some(tmp_path):
    with pytest.raises(ConfigError, match="lowpower score"):
        Shelf(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        Shelf(tmp_path / "nowhere")


RING = [[100, 100], [400, 100], [400, 300], [100, 300], [100, 100]]


def feature(name: str | None, ring=RING) -> dict[str, object]:
    properties = {} if name is None else {"classification": {"name": name}}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties,
    }


def test_regions_are_kept_as_geojson_that_score_reads(client, results):
    assert client.get(f"{SLIDE}/regions").json()["features"] == []
    small = [[x / 2, y / 2] for x, y in RING]
    features = [feature("Tumor"), feature("Ignore*", small), feature(None)]
    given = {"type": "FeatureCollection", "features": features}
    kept = client.put(f"{SLIDE}/regions", json=given).json()
    for told in (kept, client.get(f"{SLIDE}/regions").json()):
        names = [one["properties"]["classification"]["name"] for one in told["features"]]
        assert names == ["Tumor", "Ignore*", "Unclassified"]
        areas = [shapely.geometry.shape(one["geometry"]).area for one in told["features"]]
        assert areas == [300 * 200, 150 * 100, 300 * 200]
    regions = read_regions(results / "regions" / f"{KEY}.geojson")
    assert regions.counted == {"Tumor": 1}
    assert regions.cut_out == {"Ignore*": 1}
    client.put(f"{SLIDE}/regions", json={"type": "FeatureCollection", "features": []})
    assert not (results / "regions" / f"{KEY}.geojson").exists()


def test_an_outline_that_crosses_itself_is_made_valid(client):
    bow = [[0, 0], [200, 200], [200, 0], [0, 200], [0, 0]]
    given = {"type": "FeatureCollection", "features": [feature("Tumor", bow)]}
    kept = client.put(f"{SLIDE}/regions", json=given).json()["features"]
    assert all(shapely.geometry.shape(one["geometry"]).is_valid for one in kept)
    assert sum(shapely.geometry.shape(one["geometry"]).area for one in kept) == pytest.approx(2 * 100 * 100)


@pytest.mark.parametrize(
    "given", [{"type": "Topology"}, {"type": "Feature", "geometry": {"type": "Polygon"}}]
)
def test_regions_that_are_none_are_refused_in_a_sentence(client, results, given):
    answer = client.put(f"{SLIDE}/regions", json=given)
    assert answer.status_code == 422
    assert "GeoJSON" in answer.json()["detail"]
    assert not (results / "regions").exists()


def test_where_nothing_can_be_kept_nothing_can_be_given(shelf):
    client = TestClient(view_app(shelf, TOKEN, reviews=False), base_url=f"http://127.0.0.1/{TOKEN}/")
    assert client.get("v1/worklist").json()["reviews"] is False
    assert client.post(f"{SLIDE}/reviews", json={"reader": "A", "verdict": "agree"}).status_code in (404, 405)
    assert (
        client.put(f"{SLIDE}/regions", json={"type": "FeatureCollection", "features": []}).status_code == 405
    )
