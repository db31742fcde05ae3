"""Slides that come in, and what is not let in."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections import namedtuple

import pytest
from sqlalchemy import select

from lowpower.errors import ConfigError
from lowpower.serve.department import department_app, read_settings
from lowpower.serve.department.records import Slide

from .conftest import browser_of, upload


def begin(client, name="a.tif", size=10, **about):
    return client.post("/v1/uploads", json={"name": name, "size": size, **about})


def send(client, data: bytes, name="a.tif", **about):
    """A whole upload in one piece; the last answer."""
    told = begin(client, name, len(data), **about)
    if told.status_code != 201:
        return told
    where = f"/v1/uploads/{told.json()['id']}"
    answer = client.patch(where, content=data, headers={"Upload-Offset": "0"})
    return answer if answer.status_code != 200 else client.post(f"{where}/complete")


def test_a_slide_in_pieces_is_the_slide(department, admin, slide_file):
    key = upload(admin, slide_file, case="Case 17")
    place = department.settings.data / "slides" / key / f"{key}.tif"
    assert place.read_bytes() == slide_file.read_bytes()
    told = admin.get(f"/v1/slides/{key}").json()
    assert (told["state"], told["image"]["mpp"]) == ("waiting", pytest.approx(0.5, rel=0.02))
    assert admin.get(f"/v1/slides/{key}/tiles/9/0_0.jpg").headers["content-type"] == "image/jpeg"
    (row,) = admin.get("/v1/worklist").json()["rows"]
    assert row["case"].startswith("C-")
    assert admin.get(f"/v1/worklist?search={row['case']}").json()["total"] == 1


def test_it_goes_on_where_it_stopped(department, admin, slide_file):
    data = slide_file.read_bytes()
    told = begin(admin, "a.tif", len(data), sha256=hashlib.sha256(data).hexdigest()).json()
    where = f"/v1/uploads/{told['id']}"
    admin.patch(where, content=data[:1000], headers={"Upload-Offset": "0"})
    part = department.settings.data / "uploads" / f"{told['id']}.part"
    with part.open("ab") as file:
        file.write(b"cut off amid a piece")  # as a crash leaves it
    gap = admin.patch(where, content=data[5000:6000], headers={"Upload-Offset": "5000"})
    assert (gap.status_code, gap.json()["received"]) == (409, 1000)
    assert admin.post(f"{where}/complete").status_code == 409
    assert admin.get(where).json()["received"] == 1000
    at = 1000
    while at < len(data):
        step = data[at : at + told["piece"]]
        at = admin.patch(where, content=step, headers={"Upload-Offset": str(at)}).json()["received"]
    done = admin.post(f"{where}/complete").json()
    assert admin.post(f"{where}/complete").json() == done  # asked twice: one slide, one job
    assert len(admin.get("/v1/jobs").json()) == 1


def test_a_piece_that_was_changed_on_the_way_is_not_kept(admin):
    told = begin(admin, size=4).json()
    where = f"/v1/uploads/{told['id']}"
    digest = f"sha-256={base64.b64encode(hashlib.sha256(b'good').digest()).decode()}"
    headers = {"Upload-Offset": "0", "Repr-Digest": digest}
    assert admin.patch(where, content=b"evil", headers=headers).status_code == 422
    assert admin.patch(where, content=b"good", headers=headers).json()["received"] == 4


def test_a_file_that_is_not_the_announced_one_is_thrown_away(department, admin):
    refused = send(admin, b"II*\0 something", sha256="0" * 64)
    assert (refused.status_code, refused.json()["title"]) == (422, "checksum")
    assert list((department.settings.data / "uploads").glob("*")) == []
    assert admin.get("/v1/worklist").json()["total"] == 0


def test_the_same_slide_again_says_which_it_is(admin, slide_file):
    key = upload(admin, slide_file)
    again = send(admin, slide_file.read_bytes(), "another name.tif")
    assert (again.status_code, again.json()["slide"]) == (409, key)
    assert key in again.json()["detail"]


def bomb(kind: str) -> tuple[str, bytes]:
    """A small file that unpacks to something huge."""
    if kind == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("slide.svs", bytes(10_000_000))
        return "slides.svs", packed.getvalue()
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    if kind == "png":
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
        return "field.png", b"\x89PNG\r\n\x1a\n" + body
    frame = (
        b"\xff\xc0\x00\x11\x08"
        + struct.pack(">HH", 65_500, 65_500)
        + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    )
    return (
        "field.jpg",
        b"\xff\xd8" + frame + b"\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00" + b"\xff\xd9",
    )


@pytest.mark.parametrize("kind", ["zip", "png", "jpeg"])
def test_a_bomb_is_refused_and_nothing_stays(department, admin, kind):
    name, data = bomb(kind)
    refused = send(admin, data, name)
    assert refused.status_code == 422, refused.text
    assert str(department.settings.data) not in refused.text
    assert [
        path
        for path in department.settings.data.rglob("*")
        if path.suffix in (".part", ".svs", ".png", ".jpg")
    ] == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("letter.docx", b"PK"),
        ("notes.tif", b"Dear colleague"),
        ("empty.tif", b""),
        ("slide.mrxs", b"\xff\xd8\xff"),
        ("cut.tif", None),
    ],
)
def test_what_is_no_slide_is_refused_in_a_sentence(department, admin, slide_file, name, data):
    if data is None:
        data = slide_file.read_bytes()[:2000]
    refused = send(admin, data, name)
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"].rstrip().endswith((".", "0"))
    assert not re.search(r"The file (?!is |ends |has |holds )", refused.text)
    assert str(department.settings.data) not in refused.text
    assert admin.get("/v1/worklist").json()["total"] == 0


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/a.tif", "/etc/a.tif", "a\x00b\n\x1b[31m.tif", "..\\..\\a.tif", "\u202efit.tif"]
)
def test_a_name_leads_nowhere_and_is_kept_nowhere(department, admin, slide_file, name):
    data = slide_file.read_bytes()
    done = send(admin, data, name) if len(data) < 8_000_000 else None
    key = done.json()["slide"] if done is not None else upload(admin, slide_file)
    kept = [path for path in department.settings.data.rglob("*") if path.is_file() and path.suffix == ".tif"]
    assert kept == [department.settings.data / "slides" / key / f"{key}.tif"]


def test_too_large_is_said_before_anything_is_sent(open_with):
    client = browser_of(open_with(upload_gb=0.000001))
    assert begin(client, size=2000).status_code == 413
    told = begin(client, size=500).json()
    more = client.patch(f"/v1/uploads/{told['id']}", content=bytes(600), headers={"Upload-Offset": "0"})
    assert more.status_code == 413


def test_a_piece_larger_than_pieces_are_is_not_read_to_its_end(department, admin):
    told = begin(admin, size=50_000_000).json()
    too_much = admin.patch(
        f"/v1/uploads/{told['id']}", content=bytes(told["piece"] + 1), headers={"Upload-Offset": "0"}
    )
    assert too_much.status_code == 413


def test_a_disk_that_is_nearly_full_takes_no_slides_and_still_shows_them(
    department, admin, slide_file, monkeypatch
):
    key = upload(admin, slide_file)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    refused = begin(admin)
    assert refused.status_code == 507
    assert "Free space" in refused.json()["detail"]
    assert admin.get(f"/v1/slides/{key}").status_code == 200
    assert admin.get("/v1/worklist").json()["total"] == 1


def test_ones_own_uploads_alone(department, admin):
    told = begin(admin).json()
    other = browser_of(department, name="Dr. B")
    assert other.get(f"/v1/uploads/{told['id']}").status_code == 404
    assert admin.delete(f"/v1/uploads/{told['id']}").status_code == 204
    assert list((department.settings.data / "uploads").glob("*.part")) == []


def send_parts(client, paths, files: int):
    """Files of a series, each an upload; the last answer."""
    for path in paths:
        answer = send(client, path.read_bytes(), path.name, files=files, case="Case 17")
        assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_dicom_series_in_two_halves_is_named_and_the_second_completes_it(department, admin, series):
    base, half, label = (series / name for name in ("0.dcm", "1.dcm", "label.dcm"))
    told = send_parts(admin, [half, label], files=3)
    assert told == {
        "slide": None,
        "job": None,
        "waits_for": "2 of 3 files of this slide are here; send the others.",
    }
    assert admin.get("/v1/worklist").json()["total"] == 0
    told = send_parts(admin, [base], files=3)
    assert (told["waits_for"], told["job"] is None) == (None, False)
    place = department.settings.data / "slides" / told["slide"] / told["slide"]
    kept = [path.read_bytes() for path in place.iterdir()]
    assert len(kept) == 2  # the label's picture is not kept
    assert not any(word in data for data in kept for word in (b"Doe", b"MRN-1961", b"19610101", b"A-77"))
    assert admin.get(f"/v1/slides/{told['slide']}").json()["image"]["width"] == 1024
    again = send(admin, half.read_bytes(), "1.dcm", files=3)
    assert (again.status_code, again.json()["slide"]) == (409, told["slide"])
    assert list((department.settings.data / "uploads").iterdir()) == []


def test_a_series_without_its_full_resolution_is_no_slide_yet(admin, series):
    told = send_parts(admin, [series / "1.dcm"], files=1)
    assert "full resolution is missing among the one file" in told["waits_for"]
    assert send_parts(admin, [series / "0.dcm"], files=1)["slide"] is not None


def test_dicom_that_is_no_slide_is_refused(department, admin, series, tmp_path):
    import pydicom

    other = pydicom.dcmread(series / "0.dcm")
    other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    other.save_as(tmp_path / "ct.dcm")
    for data in ((tmp_path / "ct.dcm").read_bytes(), b"DICM, or so", (series / "0.dcm").read_bytes()[:700]):
        refused = send(admin, data, "a.dcm")
        assert refused.status_code == 422, refused.text
        assert str(department.settings.data) not in refused.text


@pytest.fixture
def rooted(tmp_path, slide_file, open_with):
    root = tmp_path / "scanner"
    root.mkdir()
    os.link(slide_file, root / "Jane Doe.tif")
    opened = open_with(roots=[root])
    return opened, browser_of(opened), root


def test_a_slide_is_registered_where_it_lies(rooted):
    department, client, root = rooted
    assert client.get("/v1/roots").json() == [str(root / "Jane Doe.tif")]
    made = client.post("/v1/slides", json={"path": str(root / "Jane Doe.tif")})
    assert made.status_code == 201, made.text
    key = made.json()["slide"]
    assert (department.settings.data / "slides" / key / f"{key}.tif").resolve() == root / "Jane Doe.tif"
    assert "Jane" not in client.get(f"/v1/slides/{key}").text
    assert "Jane" not in client.get("/v1/worklist").text
    again = client.post("/v1/slides", json={"path": str(root / "Jane Doe.tif")})
    assert (again.status_code, again.json()["slide"]) == (409, key)
    assert client.delete(f"/v1/slides/{key}").status_code == 422  # its job waits
    client.post(f"/v1/jobs/{made.json()['job']}/cancel")
    assert client.delete(f"/v1/slides/{key}").status_code == 204
    assert (root / "Jane Doe.tif").exists()
    assert client.get(f"/v1/slides/{key}").status_code == 404
    assert client.post("/v1/slides", json={"path": str(root / "Jane Doe.tif")}).status_code == 201


def test_which_laboratory_stained_a_slide_is_said_or_follows_from_where_it_lies(
    open_with, slide_file, tmp_path
):
    places = {name: tmp_path / "scans" / name for name in ("", "north", "north/own", "south")}
    for number, place in enumerate(places.values()):
        place.mkdir()
        (place / "a.tif").write_bytes(slide_file.read_bytes() + bytes([number]))
    stained_by = f"{places['north']}=North, {places['north/own']}=Ours,*=Elsewhere"
    department = open_with(roots=[tmp_path / "scans"], stained_by=stained_by)
    client = browser_of(department)
    for place, said in (("north", None), ("north/own", None), ("", None), ("south", " The\nSouth ")):
        given = {"path": str(places[place] / "a.tif"), "laboratory": said}
        assert client.post("/v1/slides", json=given).status_code == 201
    upload(client, slide_file)
    with department.database.read() as session:
        slides = session.scalars(select(Slide).order_by(Slide.added)).all()
    assert [slide.laboratory for slide in slides] == ["North", "Ours", "Elsewhere", "The South", "Elsewhere"]
    (row,) = client.get("/v1/worklist", params={"search": "south"}).json()["rows"]
    assert row["key"] == slides[3].id
    for wrong in (f"{tmp_path}/none=North", "North", "*=", f"*={'n' * 61}"):
        with pytest.raises(ConfigError, match="stained_by: write FOLDER=NAME"):
            read_settings(None, {}, data=tmp_path / "data", stained_by=wrong)


@pytest.mark.parametrize("kind", ["outside", "dots", "link", "link-folder", "absent", "null"])
def test_nothing_outside_the_roots_is_registered_or_told_of(rooted, tmp_path, slide_file, kind):
    _, client, root = rooted
    outside = tmp_path / "outside"
    outside.mkdir()
    os.link(slide_file, outside / "a.tif")
    (root / "link.tif").symlink_to(outside / "a.tif")
    (root / "folder").symlink_to(outside)
    path = {
        "outside": outside / "a.tif",
        "dots": f"{root}/../outside/a.tif",
        "link": root / "link.tif",
        "link-folder": root / "folder" / "a.tif",
        "absent": outside / "b.tif",
        "null": "a\0b",
    }[kind]
    refused = client.post("/v1/slides", json={"path": str(path)})
    assert refused.status_code == 422
    assert "none of the folders" in refused.json()["detail"]


def test_without_roots_nothing_is_registered(admin, slide_file):
    assert admin.post("/v1/slides", json={"path": str(slide_file)}).status_code == 422


def test_label_and_macro_pictures_have_no_address(department):
    app = department_app(department)
    while not hasattr(app, "openapi"):
        app = app._app
    assert not [
        path for path in app.openapi()["paths"] if "label" in path or "macro" in path or "associated" in path
    ]
