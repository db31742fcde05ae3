"""A picture archive (Orthanc) and a FHIR server: slides come, reports go, names stay where they were."""

from __future__ import annotations

import http.server
import io
import json
import re
import threading

import pydicom
import pytest

from .archives import ask, free_port, score
from .conftest import browser_of, finish, upload


def test_a_slide_comes_from_the_archive_and_its_report_goes_back(archive, orthanc, series, scored):
    department, client = archive
    (found,) = client.get("/v1/pacs/series", params={"accession": "A-77"}).json()
    assert found["instances"] == 3
    assert "Doe" not in json.dumps(found)
    made = client.post(
        "/v1/pacs/fetch", json={"study": found["study"], "series": found["series"], "case": "A-77"}
    )
    assert made.status_code == 201, made.text
    key = made.json()["slide"]
    kept = list((department.settings.data / "slides" / key / key).iterdir())
    assert len(kept) == 2  # the label's picture stays where it was
    assert not any(
        word in path.read_bytes() for path in kept for word in (b"Doe", b"MRN-1961", b"19610101", b"A-77")
    )
    told = client.get(f"/v1/slides/{key}").json()
    assert (told["image"]["width"], told["image"]["mpp"]) == (1024, pytest.approx(0.5))
    assert client.get(f"/v1/slides/{key}/tiles/10/0_0.jpg").status_code == 200

    cells = score(department, made.json()["job"], scored)
    sent = client.post(f"/v1/slides/{key}/send", json={"to": "dicomweb"})
    assert sent.status_code == 204, sent.text
    (row,) = [
        row
        for row in client.get("/v1/audit", params={"subject": key}).json()
        if row["action"] == "report.sent"
    ]
    stored = {}
    for instance in row["detail"]["numbers"]:
        body = json.dumps({"Level": "Instance", "Query": {"SOPInstanceUID": instance}}).encode()
        with ask(f"{orthanc}/tools/find", body) as answer:
            (number,) = json.loads(answer.read())
        with ask(f"{orthanc}/instances/{number}/file") as answer:
            dataset = pydicom.dcmread(io.BytesIO(answer.read()))
        stored[dataset.Modality] = dataset
        assert (str(dataset.PatientName), dataset.PatientID) == ("Doe^Jane", "MRN-1961")
        assert dataset.StudyInstanceUID == found["study"]
    assert set(stored) == {"SR", "ANN"}
    groups = stored["ANN"].AnnotationGroupSequence
    assert sum(group.NumberOfAnnotations for group in groups) == len(cells)
    (of,) = stored["ANN"].ReferencedImageSequence
    assert of.ReferencedSOPInstanceUID == pydicom.dcmread(series / "0.dcm").SOPInstanceUID

    again = client.post("/v1/pacs/fetch", json={"study": found["study"], "series": found["series"]})
    assert (again.status_code, again.json()["slide"]) == (409, key)


def test_what_the_archive_does_not_have_is_said(archive):
    _, client = archive
    assert client.get("/v1/pacs/series", params={"accession": "none"}).json() == []
    assert client.post("/v1/pacs/fetch", json={"study": "1.2.3", "series": "1.2.3.4"}).status_code == 502
    assert client.get("/v1/pacs/series").status_code == 422


def test_an_archive_that_is_not_there_is_said(department, admin, tmp_path):
    from lowpower.errors import ConfigError
    from lowpower.serve.department.exchange import Pacs, PacsError

    with pytest.raises(ConfigError, match="setting dicomweb"):
        Pacs(department.settings, department.slides)
    settings = department.settings.model_copy(
        update={"dicomweb": f"http://127.0.0.1:{free_port()}/dicom-web"}
    )
    with pytest.raises(PacsError, match="cannot be reached"):
        Pacs(settings, department.slides).search(study="1.2")


def test_a_report_goes_to_the_fhir_server_as_one_transaction(open_with, slide_file, scored):
    """Against a server of a few lines; docs/adr/0051-serve.md says what took it by hand."""
    came = []

    class Takes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.headers, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200 if len(came) == 1 else 422)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    department = open_with(fhir=f"http://127.0.0.1:{server.server_port}/fhir", fhir_token="word")
    client = browser_of(department)
    key = upload(client, slide_file)
    job = client.get("/v1/jobs").json()[0]["id"]
    finish(department, job, **json.loads((scored / "simulated-her2" / "result.json").read_text()))
    assert client.post(f"/v1/slides/{key}/send", json={"to": "fhir"}).status_code == 204
    headers, bundle = came[0]
    assert headers["Authorization"] == "Bearer word"
    assert bundle["type"] == "transaction"
    assert {entry["request"]["url"] for entry in bundle["entry"]} == {
        "DiagnosticReport",
        "Observation",
        "Device",
    }
    # What a server puts its own addresses in place of: every reference, and nothing of the report's identity.
    addresses = {entry["fullUrl"] for entry in bundle["entry"]}
    resources = json.dumps([entry["resource"] for entry in bundle["entry"]])
    linked = set(re.findall(r'"reference": "(urn:uuid:[^"]+)"', resources))
    assert len(linked) == 3
    assert linked < addresses
    (report,) = [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"
    ]
    assert report["identifier"][0]["value"].startswith("urn:uuid:")
    assert report["identifier"][0]["value"] not in addresses
    refused = client.post(f"/v1/slides/{key}/send", json={"to": "fhir"})
    assert (refused.status_code, refused.json()["detail"]) == (502, "The FHIR server answered 422.")
    assert client.post(f"/v1/slides/{key}/send", json={"to": "dicomweb"}).status_code == 422
    server.shutdown()
    server.server_close()
