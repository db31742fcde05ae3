"""Which files of a folder are slides, and what a slide is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from lowpower.slides import find_slides, slide_name


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def write_dicom(path: Path, series: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    about.SeriesInstanceUID = series
    about.save_as(path, enforce_file_format=True)


def found(folder: Path, pattern: str | None = None) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_slides(folder, pattern)]


def test_slides_at_any_depth_and_nothing_else(tmp_path):
    touch(tmp_path, "b.svs", "a/deep/c.NDPI", "a/notes.txt", ".hidden.svs", "a/cohort.csv", "field.png")
    assert found(tmp_path) == ["a/deep/c.NDPI", "b.svs", "field.png"]
    assert found(tmp_path, "*.svs") == ["b.svs"]
    assert found(tmp_path, "a/*") == ["a/deep/c.NDPI"]


def test_pictures_that_belong_to_a_slide_are_not_slides(tmp_path):
    touch(tmp_path, "s1.tif", "s1.png", "s1.tissue.png", "s10.png")
    assert found(tmp_path) == ["s1.tif", "s10.png"]


def test_the_softwares_own_results_are_not_slides(tmp_path):
    touch(
        tmp_path,
        "a.png",
        "out/a/result.json",
        "out/a/overlay.png",
        "out/.lowpower/b.lock",
        "out/b/overlay.png",
    )
    touch(tmp_path, "out/set-aside-1/a/overlay.png")
    assert found(tmp_path) == ["a.png"]


def test_the_data_folder_of_mirax_is_part_of_its_slide(tmp_path):
    touch(tmp_path, "m.mrxs", "m/Data0001.dat", "m/thumbnail.jpg")
    assert found(tmp_path) == ["m.mrxs"]


def test_dicom_counts_by_series(tmp_path):
    for file in ("0.dcm", "1.dcm"):
        write_dicom(tmp_path / "1.2.3.10" / file, "1.2.3")
    for number, file in enumerate(("x.dcm", "y.dcm", "z.dcm")):
        write_dicom(tmp_path / "both" / file, f"1.{number // 2}")
    assert found(tmp_path) == ["1.2.3.10", "both/x.dcm", "both/z.dcm"]


@pytest.mark.parametrize(
    ("path", "name"),
    [("case-17.svs", "case-17"), ("a.b.ome.tiff", "a.b"), ("A.PNG", "A"), (".png", ".png"), ("v1.2", "v1.2")],
)
def test_the_name_of_a_slide_is_all_but_its_format(path, name):
    assert slide_name(path) == name


def test_a_folder_keeps_its_whole_name(tmp_path):
    for name in ("1.2.3.10", "odd.svs"):
        (tmp_path / name).mkdir()
        assert slide_name(tmp_path / name) == name


def test_the_table_of_contents_of_a_medium_is_no_slide(tmp_path):
    write_dicom(tmp_path / "case" / "a.dcm", "1.2.3")
    write_dicom(tmp_path / "case" / "DICOMDIR", "1.2.4")
    assert found(tmp_path) == ["case"]
