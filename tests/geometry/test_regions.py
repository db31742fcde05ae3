"""GeoJSON as people and programs write it: which areas count, and one sentence where none can."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from lowpower.errors import RegionsError
from lowpower.geometry import read_mask, read_regions

SIZE = (800, 600)


def box(left, top, right, bottom):
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(geometry, name=None, **properties):
    if name is not None:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


TUMOUR = feature(box(100, 100, 300, 300), "Tumor")
IGNORE = feature(box(120, 120, 280, 280), "Ignore*")
STROMA = feature(box(300, 100, 500, 300), "Stroma")
PLAIN = feature(box(500, 300, 600, 400))


def area(*features, classes=()):
    return read_regions(collection(*features), classes).area.area


class TestClasses:
    def test_ignored_areas_are_cut_out(self):
        regions = read_regions(collection(TUMOUR, IGNORE))
        assert regions.area.area == 200**2 - 160**2
        assert (regions.counted, regions.cut_out, regions.left_out) == ({"Tumor": 1}, {"Ignore*": 1}, {})
        x = np.array([110.0, 200.0, 290.0, 400.0])
        assert regions.contains(x, x).tolist() == [True, False, True, False]

    def test_other_classes_are_left_out_unless_named(self):
        regions = read_regions(collection(TUMOUR, STROMA, STROMA, PLAIN))
        assert regions.area.area == 200**2
        assert regions.left_out == {"Stroma": 2, "unclassified": 1}
        assert regions.notes == ()
        assert area(TUMOUR, STROMA, PLAIN, classes=["stroma"]) == 2 * 200**2
        assert area(TUMOUR, STROMA, PLAIN, classes=["Stroma", "unclassified"]) == 2 * 200**2 + 100**2

    def test_without_any_class_every_area_counts(self):
        assert area(PLAIN, IGNORE) == 100**2
        assert area(PLAIN, feature(box(0, 0, 10, 10), "Tumour"), STROMA) == 100

    @pytest.mark.parametrize(
        "said", ["Tumor", {"name": "tumour"}, {"names": ["Tumor"]}, {"name": " Invasive carcinoma "}]
    )
    def test_a_class_may_be_text_or_an_object(self, said):
        drawn = feature(box(0, 0, 10, 10), classification=said)
        assert read_regions(collection(drawn, STROMA)).area.area == 100

    def test_no_class_that_counts_is_told_with_those_that_are_there(self):
        with pytest.raises(
            RegionsError, match=r"Region\* \(1\), Stroma \(1\), unclassified \(1\).*region_class="
        ):
            area(STROMA, PLAIN, feature(box(0, 0, 900, 900), "Region*"))
        with pytest.raises(RegionsError, match="all of them are cut out"):
            area(TUMOUR, feature(box(0, 0, 800, 600), "Ignore*"))
        with pytest.raises(RegionsError, match=r"holds no area.*Ignore\* \(1\)"):
            area(IGNORE)

    def test_a_named_class_that_is_absent_is_doubted(self):
        (note,) = read_regions(collection(TUMOUR), ["Strma"]).notes
        assert "Strma" in note

    def test_what_was_drawn_as_two_classes_is_doubted_but_not_a_frame(self):
        necrosis = feature(box(100, 100, 200, 200), "Necrosis")
        (note,) = read_regions(collection(TUMOUR, necrosis)).notes
        assert "25% of what counts is drawn as Necrosis too" in note
        assert read_regions(collection(TUMOUR, feature(box(0, 0, 800, 600), "Stroma"))).notes == ()

    def test_a_class_derived_from_tumour_counts_and_one_from_ignore_is_cut_out(self):
        names = {"names": ["Tumor", "3+"]}
        derived = {**TUMOUR, "properties": {"classification": names}}
        inner = feature(box(0, 0, 50, 50), "Ignore*: fold")
        regions = read_regions(collection(derived, inner, feature(box(300, 300, 400, 400), "Stroma")))
        assert regions.counted == {"Tumor: 3+": 1}
        assert regions.cut_out == {"Ignore*: fold": 1}
        assert regions.left_out == {"Stroma": 1}

    def test_areas_without_a_class_that_are_called_by_several_names_are_doubted(self):
        def named(key, text):
            return {**feature(box(0, 0, 9, 9)), "properties": {key: text}}

        assert read_regions(collection(named("name", "1"), named("name", "1"))).notes == ()
        for key in ("name", "label", "class"):
            (note,) = read_regions(collection(named(key, "Tumor"), named(key, "Stroma"))).notes
            assert "called Stroma, Tumor, and all of them count" in note


class TestShapes:
    def test_nothing_drawn_is_passed_over(self):
        empty = [feature({"type": kind, "coordinates": []}) for kind in ("Polygon", "MultiPolygon", "Point")]
        nested = [
            feature({"type": "Polygon", "coordinates": [[]]}),
            feature(None),
            feature({}),
            None,
            feature({"type": "Polygon", "coordinates": None}),
            feature({"type": "MultiPolygon", "coordinates": [[]]}),
        ]
        flat = feature({"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [0, 0]]]}, "Tumor")
        line = feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "Tumor")
        assert area(*empty, *nested, flat, line, TUMOUR) == 200**2

    def test_rings_that_cross_and_overlap_count_once(self):
        bow = {"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]}
        assert area(feature(bow)) == pytest.approx(50)
        assert area(TUMOUR, TUMOUR) == 200**2
        assert (
            area(feature({"type": "GeometryCollection", "geometries": [TUMOUR["geometry"], bow]}))
            == 200**2 + 50
        )

    def test_holes_are_outside_and_z_is_ignored(self):
        outline = [[0, 0, 5], [10, 0, 5], [10, 10, 5], [0, 10, 5]]  # not closed, as some write it
        hole = [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]
        regions = read_regions(
            {"type": "MultiPolygon", "coordinates": [[outline, hole], *[box(20, 20, 30, 30)["coordinates"]]]}
        )
        x = np.array([2.0, 5.0, 25.0, 15.0, 10.0])
        assert regions.contains(x, x).tolist() == [True, False, True, False, True]


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("plain.geojson", lambda text: text.encode()),
            ("bom.geojson", lambda text: b"\xef\xbb\xbf" + text.encode()),
            ("wide.json", lambda text: text.encode("utf-16")),
            ("wide-be.json", lambda text: text.encode("utf-16-be")),
            ("packed.geojson.gz", lambda text: gzip.compress(text.encode())),
            ("unnamed", lambda text: gzip.compress(text.encode("utf-16"))),
        ],
    )
    def test_every_coding_is_read_as_regions_and_as_mask(self, tmp_path, name, code):
        (tmp_path / name).write_bytes(code(json.dumps(collection(feature(None), TUMOUR, IGNORE))))
        assert read_regions(tmp_path / name).area.area == 200**2 - 160**2
        assert read_mask(tmp_path / name, SIZE).mask.sum() == 200**2 - 160**2

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"not json", "is no GeoJSON"),
            (b"", "is no GeoJSON"),
            (b"[" * 100_000, "is no GeoJSON"),
            (b'{"type": "Polygon"}', "feature 1 .*no 'coordinates'"),
            (b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', "fewer than three"),
            (b'{"type": "Polygon", "coordinates": [[[0, 0], [1, NaN], [3, 3]]]}', "no number"),
            (b'{"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [3, 3]]]}', "feature 1"),
            (b'{"type": "Polygon", "coordinates": 3}', "feature 1"),
            (b'{"type": "Feature", "geometry": {"type": "Circle"}}', "'Circle'"),
            (b'{"type": "Feature", "geometry": null, "properties": [1]}', "feature 1"),
            (
                b'{"type": "Feature", "geometry": null, "properties": {"classification": 7}}',
                "classification is 7",
            ),
            (b'{"type": "Point", "coordinates": [0, 0]}', "holds no area"),
            (b'{"type": "FeatureCollection", "features": []}', "holds no area"),
            (b'{"type": "FeatureCollection", "features": null}', "FeatureCollection"),
            (b"[3]", "holds a number where areas are meant"),
            (b'{"type": "Feature", "geometry": []}', "lists of points"),
            (b'{"type": "Polygon", "coordinates": [[0, 0], [9, 9], [0, 9]]}', "lists of points"),
            (b"null", "holds nothing"),
            (b'{"a": 1}', "without a type"),
            (b"\x1f\x8b\x08\x00cut", "is gzip, but"),
            ('{"name": "caf\xe9"}'.encode("latin-1"), "is no GeoJSON"),
        ],
    )
    def test_what_cannot_be_read_is_one_sentence(self, tmp_path, content, words):
        file = tmp_path / "bad.geojson"
        file.write_bytes(content)
        for read in (read_regions, lambda path: read_mask(path, SIZE)):
            with pytest.raises(RegionsError, match=words) as told:
                read(file)
            assert str(told.value).startswith(str(file))
            assert "\n" not in str(told.value)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(RegionsError, match=r"absent\.geojson: no such file"):
            read_regions(tmp_path / "absent.geojson")
        with pytest.raises(RegionsError, match="cannot be read"):
            read_regions(tmp_path)
