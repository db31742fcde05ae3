"""Exports, read back by libraries that did not write them: pydicom, fhir.resources, pypdf."""

from __future__ import annotations

import csv
import datetime
import importlib.util
import io
import json
from pathlib import Path

import highdicom as hd
import numpy as np
import polars as pl
import pydicom
import pypdf
import pytest
from fhir.resources.R4B.bundle import Bundle
from PIL import Image

from lowpower.cohort import SCHEMES
from lowpower.errors import ConfigError
from lowpower.scoring import Measured, MeasuredSlide, Result, class_names
from lowpower.scoring.exchange import export, terms
from lowpower.scoring.exchange._codes import question_term, value_term

WHEN = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
R4_OBSERVATION = set(
    "resourceType id meta text identifier basedOn partOf status category code subject focus encounter "
    "effectiveDateTime issued performer valueQuantity valueCodeableConcept dataAbsentReason interpretation "
    "note bodySite method specimen device referenceRange hasMember derivedFrom component".split()
)
R4_REPORT = set(
    "resourceType id meta text identifier basedOn status category code subject encounter effectiveDateTime "
    "issued performer resultsInterpreter specimen result imagingStudy media conclusion conclusionCode "
    "presentedForm".split()
)
MEASURED = {
    "marker": "HER2",
    "score": "2+",
    "group": "equivocal",
    "sentence": "measured 2+ (equivocal): complete staining in 24.3% of tumour cells.",
    "tumour_cells": 3651,
    "cells": {"tumour": 3651, "stromal": 5074},
    "shares": {
        "none": 0.31, "faint_incomplete": 0.45, "moderate_complete": 0.23, "intense_complete": 0.01
    },
    "percent": 69.0,
    "h_score": 94.0,
    "deciding": {
        "what": "complete staining", "share": 0.24, "cutoff": 0.1, "nearest": "3+", "distance": 0.09
    },
    "cell_network": {"name": "cell_network", "sha256": "0f" * 32, "recipe": "recipes/build_cell_network.py"},
}  # fmt: skip
RESULT = {
    "file": "case-17.svs",
    "state": "ok",
    "marker": "HER2",
    "scheme": "her2_four",
    "decision": "refer",
    "reason": "Refer to a pathologist: 1+ and 2+ cannot be told apart.",
    "reason_code": "refer",
    "reasons": ["Refer to a pathologist: 1+ and 2+ cannot be told apart."],
    "answer": {
        "likeliest": "2+", "probability": 0.5, "by": "network", "issued": False, "error": 0.05,
        "confidence": 0.9, "why": "1+ and 2+ cannot be told apart.", "not_excluded": ["1+", "2+"],
        "probabilities": {"0": 0.05, "1+": 0.4, "2+": 0.5, "3+": 0.05},
        "cutoffs": [
            {"cutoff": "0 | >=1+", "question": "at least 1+", "answer": "yes", "probability": 0.95,
             "error": 0.02},
            {"cutoff": "3+ | rest", "question": "3+", "answer": "undetermined", "probability": 0.05},
        ],
    },
    "probabilities": {"0": 0.05, "1+": 0.4, "2+": 0.5, "3+": 0.05},
    "prediction_set": ["1+", "2+"],
    "measured": MEASURED,
    "agreement": {"level": "agree", "sentence": "The network says 2+, measured 2+."},
    "qc": {
        "area_mm2": 1.2, "pieces": 1, "white_point": [235, 234, 243], "white_point_source": "glass",
        "stain": "h-dab"
    },
    "model": {
        "name": "her2-sim", "version": "1", "sha256": "ab" * 32, "trained_on": "Simulated slides only."
    },
    "mpp": 0.25,
    "mpp_source": "option",
    "slide_sha256": "cd" * 32,
    "software_version": "0.1.0",
}  # fmt: skip


@pytest.fixture
def case(tmp_path):
    """A scored slide's folder with its pictures."""

    def write(record=None, name="case-17", model=Result):
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        said = model.model_validate({**RESULT, **(record or {})} if model is Result else record)
        file = "result.json" if model is Result else "measurement.json"
        (folder / file).write_text(said.model_dump_json(), encoding="utf-8")
        Image.new("RGB", (1600, 700), (200, 180, 160)).save(folder / "overlay.png")
        Image.new("RGB", (1680, 1856), (180, 190, 210)).save(folder / "cells.png")
        return folder

    return write


def content(item, found=None):
    """Every (concept meaning, value) of an SR, flat."""
    found = [] if found is None else found
    for child in item.get("ContentSequence", []):
        name = child.ConceptNameCodeSequence[0] if "ConceptNameCodeSequence" in child else None
        if child.ValueType == "NUM":
            value = child.MeasuredValueSequence[0]
            found.append((name, float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue))
        elif child.ValueType == "CODE":
            found.append((name, child.ConceptCodeSequence[0], None))
        elif child.ValueType in ("TEXT", "UIDREF"):
            found.append((name, child.get("TextValue", child.get("UID")), None))
        content(child, found)
    return found


class TestDicomSR:
    def test_numbers_and_codes_come_back(self, case, tmp_path):
        folder = case()
        (path,) = export(folder, ["dicom-sr"], when=WHEN, patient_id="P-4", accession="A-9").files
        report = pydicom.dcmread(path)
        assert report.Modality == "SR"
        assert report.SOPClassUID.name == "Comprehensive 3D SR Storage"
        assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
        assert (report.PatientID, report.AccessionNumber, report.PatientName) == ("P-4", "A-9", "")
        assert "CurrentRequestedProcedureEvidenceSequence" not in report
        items = content(report)
        numbers = {name.CodeValue: (value, unit) for name, value, unit in items if unit}
        assert numbers["h-score"] == (94.0, "1")
        assert numbers["percent-stained"] == (69.0, "%")
        assert numbers["p-2+"] == (0.5, "1")
        assert numbers["tumour-cells"][0] == 3651
        coded = {
            name.CodeValue: (value.CodeValue, value.CodingSchemeDesignator)
            for name, value, unit in items
            if unit is None and hasattr(value, "CodeValue")
        }
        assert coded["85319-2"] == ("LA11842-4", "LN")
        assert coded["decision"] == ("refer", "99LOWPOWER")
        assert coded["likeliest"] == ("LA11842-4", "LN")
        assert numbers["p-likeliest"] == (0.5, "1")
        assert coded["q-1+"] == ("373066001", "SCT")
        assert coded["q-3+"] == ("undetermined", "99LOWPOWER")
        assert coded["agreement"] == ("agr-agree", "99LOWPOWER")
        texts = " ".join(str(value) for _, value, _ in items)
        assert "Research use only" in texts
        assert "sha256:cdcd" in texts
        assert f"Cells found by cell_network, weights SHA-256 {'0f' * 32}" in texts

    def test_without_identity_nothing_names_a_patient(self, case):
        (path,) = export(case(), ["dicom-sr"], when=WHEN).files
        report = pydicom.dcmread(path)
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyDate"):
            assert not report.get(keyword)

    def test_the_same_export_is_the_same_bytes(self, case, tmp_path):
        folder = case()
        first, second = (
            export(folder, ["dicom-sr"], out=tmp_path / name, when=WHEN).files[0].read_bytes()
            for name in "ab"
        )
        assert first == second

    @pytest.mark.filterwarnings("ignore:The .*length:UserWarning")  # the slide's own fields are too long
    def test_a_dicom_slide_is_referenced(self, case, real_slides):
        slide = real_slides / "small_dicom.dcm"
        source = pydicom.dcmread(slide, stop_before_pixels=True)
        (path,) = export(case({"file": str(slide)}), ["dicom-sr"], when=WHEN).files
        report = pydicom.dcmread(path)
        assert report.StudyInstanceUID == source.StudyInstanceUID
        evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
        assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID


class TestDicomCells:
    CELLS = pl.DataFrame(
        {
            "x": [10.5, 20.0, 700.25], "y": [5.0, 6.0, 900.75], "diameter": [7.5, 8.0, 9.25],
            "class": ["no staining", "no staining", "intense, complete"],
        }
    )  # fmt: skip

    def test_each_class_is_a_group_and_each_cell_a_point(self, case, tmp_path):
        slide = dicom_slide(tmp_path)
        source = pydicom.dcmread(slide)
        folder = case({"file": str(slide)})
        names = class_names("HER2")
        cells = self.CELLS.with_columns(pl.Series("class", [names[0], names[0], names[3]]))
        cells.write_parquet(folder / "cells.parquet")
        first, second = (
            export(folder, ["dicom-cells"], out=tmp_path / name, when=WHEN).files[0] for name in "ab"
        )
        assert first.read_bytes() == second.read_bytes()
        told = hd.ann.annread(first)
        assert (told.StudyInstanceUID, told.PatientID) == (source.StudyInstanceUID, source.PatientID)
        groups = told.get_annotation_groups()
        assert [group.label for group in groups] == [names[0], names[3]]
        points = np.concatenate([np.vstack(group.get_graphic_data("2D")) for group in groups])
        assert points.tolist() == cells.select("x", "y").to_numpy().tolist()
        _, values, units = groups[0].get_measurements()
        assert (values[:, 0].tolist(), units[0].value) == ([7.5, 8.0], "um")

    def test_a_slide_that_is_no_dicom_is_named_and_the_rest_goes_out(self, case):
        folder = case()
        made = export(folder, ["dicom-cells", "pdf"], when=WHEN)
        assert ([path.suffix for path in made.files], len(made.skipped)) == ([".pdf"], 1)
        assert "no cells were measured" in made.skipped[0]
        self.CELLS.write_parquet(folder / "cells.parquet")
        assert "case-17.svs is no DICOM slide" in export(folder, ["dicom-cells"], when=WHEN).skipped[0]


def dicom_slide(folder: Path) -> Path:
    """A slide of one DICOM file, of white pixels."""
    place = Path(__file__).parents[1] / "slides" / "_dicom_writer.py"
    spec = importlib.util.spec_from_file_location("_dicom_writer", place)
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    white = np.full((1024, 1024, 3), 255, np.uint8)
    return writer.write_level(folder / "slide.dcm", white, 0.5, writer.new_uids())


class TestFhir:
    def bundle(self, folder, **options):
        (path,) = export(folder, ["fhir"], when=WHEN, **options).files
        told = json.loads(path.read_bytes())
        Bundle.model_validate(told)
        return {entry["resource"]["id"]: entry["resource"] for entry in told["entry"]}

    def test_valid_preliminary_and_said_to_be_research(self, case):
        resources = list(self.bundle(case(), patient_id="P-4", accession="A-9").values())
        report, network, measurement, device = resources
        assert report["resourceType"] == "DiagnosticReport"
        assert {one["status"] for one in resources[:3]} == {"preliminary"}
        assert "Research use only" in report["conclusion"]
        assert report["subject"]["identifier"]["value"] == "P-4"
        assert report["identifier"][1]["value"] == "A-9"
        assert [one["reference"][9:] for one in report["result"]] == [network["id"], measurement["id"]]
        assert network["interpretation"][0]["coding"][0]["code"] == "IND"
        said = {
            c["code"]["coding"][0]["code"]: c["valueCodeableConcept"]["coding"][0]["code"]
            for c in network["component"]
            if "valueCodeableConcept" in c
        }
        assert (said["likeliest"], said["q-1+"], said["q-3+"]) == ("LA11842-4", "373066001", "undetermined")
        assert "HER2 likely 2+ (0.50), measured 2+; refer." in report["conclusion"]
        assert "at most 5% are wrong" in report["conclusion"]
        assert measurement["code"]["coding"][0] == {
            "system": "http://loinc.org",
            "code": "85319-2",
            "display": "HER2 [Presence] in Breast cancer specimen by Immune stain",
        }
        assert measurement["valueCodeableConcept"]["coding"][0]["code"] == "LA11842-4"
        values = {
            c["code"]["coding"][0]["code"]: c["valueQuantity"]["value"] for c in measurement["component"]
        }
        assert values["h-score"] == 94
        assert values["share-none"] == 31
        assert "0f" * 32 in measurement["note"][-1]["text"]
        assert device["version"][0]["value"] == "0.1.0"

    def test_every_element_used_is_one_of_r4(self, case):
        report, *observations, _ = self.bundle(case(), patient_id="P", accession="A").values()
        assert set(report) <= R4_REPORT
        for observation in observations:
            assert set(observation) <= R4_OBSERVATION

    def test_without_identity_there_is_no_subject(self, case):
        assert all("subject" not in one for one in self.bundle(case()).values())

    @pytest.mark.parametrize(
        ("marker", "code", "score"), [("ER", "85337-4", "low positive"), ("Ki-67", "85330-9", None)]
    )
    def test_a_measurement_alone(self, case, marker, code, score):
        shares = {"none": 0.93, "weak": 0.04, "moderate": 0.02, "strong": 0.01}
        measured = {**MEASURED, "marker": marker, "score": score, "shares": shares, "percent": 7.0}
        record = {"file": "er.svs", "state": "ok", "marker": marker, "measured": measured}
        folder = case({**record, "slide_sha256": "ef" * 32, "software_version": "0.1.0"}, model=MeasuredSlide)
        report, measurement, _ = self.bundle(folder).values()
        assert len(report["result"]) == 1
        assert measurement["code"]["coding"][0]["code"] == code
        if marker == "Ki-67":
            assert measurement["valueQuantity"]["value"] == 7.0
        else:
            components = {c["code"]["coding"][0]["code"] for c in measurement["component"]}
            assert "85329-1" in components

    def test_what_was_not_measured_is_absent_with_a_reason(self, case):
        nothing = {
            "marker": "HER2",
            "sentence": "too coarse.",
            "tumour_cells": 0,
            "cells": {},
            "notes": ["x."],
        }
        agreement = {"level": "not measured", "sentence": "too coarse."}
        _, _, measurement, _ = self.bundle(case({"measured": nothing, "agreement": agreement})).values()
        assert measurement["dataAbsentReason"]["coding"][0]["code"] == "not-performed"


class TestPdf:
    def test_one_page_says_what_matters(self, case):
        (path,) = export(case(), ["pdf"], when=WHEN, patient_id="P-4").files
        document = pypdf.PdfReader(path)
        assert len(document.pages) == 1
        text = document.pages[0].extract_text()
        for said in (
            "Research use only", "Preliminary", "HER2 likely 2+ (0.50), measured 2+; refer to a pathologist",
            "case-17.svs", "patient P-4", "3+ (0.05 probable here): undetermined",
            "At least 1+ (0.95 probable here): yes, at most 2% of all such answers wrong",
            "agree", "3651 tumour-like cells", "faint or incomplete 45.0%",
            "94 of 300", "her2-sim 1", "Simulated slides only", "Limits",
            "Cells found by cell_network", "0f" * 32,
        ):  # fmt: skip
            assert said in text
        assert len(document.pages[0].images) == 2
        box = Image.open(io.BytesIO(document.pages[0].images[0].data))
        assert box.width > 1000

    def test_the_longest_case_stays_on_the_page(self, case):
        reasons = [
            f"Reason {number}: " + "something long to say about this slide. " * 3 for number in range(8)
        ]
        (path,) = export(case({"reasons": reasons, "file": "x" * 200 + ".svs"}), ["pdf"], when=WHEN).files
        heights = []
        pypdf.PdfReader(path).pages[0].extract_text(
            visitor_text=lambda text, cm, tm, font, size: heights.append(tm[5]) if text.strip() else None
        )
        assert min(heights) > 15


class TestExport:
    def test_geojson_and_csv(self, case, tmp_path):
        folder = case()
        feature = {"type": "Feature", "geometry": None, "properties": {}}
        for name in ("tissue", "cells"):
            (folder / f"{name}.geojson").write_text(
                json.dumps({"type": "FeatureCollection", "features": [feature]})
            )
        case(name="second")
        made = export(tmp_path / "results", ["geojson", "csv"], out=tmp_path / "out")
        first, second, table = (file.name for file in made.files)
        assert (first, table) == ("case-17.objects.geojson", "cases.csv")
        assert second.startswith("case-17-")  # another slide of that name keeps its own file
        pattern = str(tmp_path / "results" / "s*")
        assert len(export([pattern, folder], ["csv"], out=tmp_path / "two").files) == 1
        assert len((tmp_path / "two" / "cases.csv").read_text().splitlines()) == 3
        assert len(json.loads(made.files[0].read_text())["features"]) == 2
        rows = list(csv.DictReader(made.files[2].read_text().splitlines()))
        assert [row["measured_score"] for row in rows] == ["2+", "2+"]

    def test_a_refused_slide_is_named_and_the_others_go_on(self, case, tmp_path):
        case()
        nothing = dict.fromkeys(["measured", "agreement", "decision", "answer", "probabilities"])
        case({**nothing, "state": "refused", "reason": "no tissue found."}, name="glass")
        made = export(tmp_path / "results", ["pdf"], when=WHEN)
        assert len(made.files) == 1
        assert "no tissue found" in made.skipped[0]

    @pytest.mark.parametrize(
        ("forms", "options", "words"),
        [
            (["word"], {}, "dicom-sr"),
            ([], {}, "nothing"),
            (["pdf"], {"patient_id": "P"}, "2 slides"),
        ],
    )
    def test_what_cannot_be_asked(self, case, tmp_path, forms, options, words):
        case()
        case(name="second")
        with pytest.raises(ConfigError, match=words):
            export(tmp_path / "results", forms, **options)

    def test_ki67_leaves_in_every_form(self, case):
        shares = {"none": 0.76, "weak": 0.1, "moderate": 0.1, "strong": 0.04}
        measured = {**MEASURED, "marker": "Ki-67", "score": None, "shares": shares, "percent": 24.0}
        answer = {"marker": "Ki-67", "scheme": "ki67_status", "decision": "high", "measured": measured}
        said = {
            **RESULT["answer"], "likeliest": "high", "issued": True,
            "cutoffs": [{"cutoff": "high | low", "question": "high", "answer": "yes", "probability": 0.8}],
        }  # fmt: skip
        folder = case({**answer, "answer": said, "probabilities": {"low": 0.2, "high": 0.8}})
        sr, fhir, *_ = export(folder, ["dicom-sr", "fhir", "pdf", "csv"], when=WHEN).files
        coded = [
            value.CodeValue for _, value, _ in content(pydicom.dcmread(sr)) if hasattr(value, "CodeValue")
        ]
        assert "ki67-high" in coded
        assert '"ki67-high"' in fhir.read_text()

    def test_what_is_no_result(self, tmp_path):
        with pytest.raises(ConfigError, match=r"result\.json"):
            export(tmp_path, ["pdf"])
        (tmp_path / "result.json").write_text("{}")
        with pytest.raises(ConfigError, match="no result"):
            export(tmp_path, ["pdf"])

    def test_every_code_is_documented_and_fits_dicom(self):
        for term in terms():
            assert f"`{term.code}`" in DOCUMENTED, term
            assert len(term.code) <= 16
            assert len(term.short) <= 64
        assert Measured.model_validate(MEASURED).score == "2+"

    def test_every_scheme_can_leave(self):
        codes = {term.code for term in terms()}
        for scheme in SCHEMES.values():
            assert {question_term(cutoff.question(scheme.classes)).code for cutoff in scheme.cutoffs} <= codes
            assert {value_term(scheme.marker, name).code for name in scheme.classes} <= codes
