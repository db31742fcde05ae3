"""A worker and jobs that go wrong: each ends with a result that says why, and the next slide is scored."""

from __future__ import annotations

import json
import shutil

import pytest

from lowpower.bundles import bundled_models
from lowpower.scoring import MeasuredSlide
from lowpower.serve import ServiceClient, ServiceError
from lowpower.serve.child import Scorer, ScoringError, _scorer
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who
from lowpower.serve.department.charts import drift_of
from lowpower.serve.department.jobs import ScoringWorker

from .conftest import browser_of, finish, served, upload


class Noted:
    """In place of the process that scores: notes what it is asked."""

    def __init__(self) -> None:
        self.models: list[str] = []
        self.ways: set[tuple[str, str]] = set()

    def score(self, slide, out, request, **_):
        self.models.append(request["model"])
        self.ways.add((request["effort"], request["precision"]))
        raise ScoringError("test", "is not scored here.")

    def start(self) -> None:
        pass


def test_a_slide_is_scored_by_a_model_of_its_marker_or_not_at_all(open_with, slide_file, tmp_path):
    for name, marker in (("er", "ER"), ("pr", "PR")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_text(json.dumps({"name": name, "marker": marker}))
    department = open_with(models=(str(tmp_path / "pr"), str(tmp_path / "er")), effort="guided")
    admin, scorer = browser_of(department), Noted()
    worker = ScoringWorker(department.database, department.settings, department.jobs)
    worker._scorers.put(scorer)
    said = {}
    for marker in ("er", None, "Ki-67"):
        copy = tmp_path / f"{marker}.tif"
        copy.write_bytes(slide_file.read_bytes() + str(marker).encode())
        key = upload(admin, copy, marker=marker)
        job = admin.get("/v1/jobs", params={"slide": key}).json()[0]["id"]
        worker.run(job)
        said[marker] = admin.get(f"/v1/jobs/{job}").json()["reason"], key
    assert scorer.models == [str(tmp_path / "er"), "her2-sim"]
    assert scorer.ways == {("guided", "exact")}
    assert "stained for Ki-67, and the model her2-sim scores HER2" in said["Ki-67"][0]
    assert admin.get(f"/v1/slides/{said['Ki-67'][1]}").json()["state"] == "refused"
    job = admin.post("/v1/jobs", json={"slide": said["er"][1], "model": "her2-sim"}).json()["id"]
    worker.run(job)
    assert "stained for ER" in admin.get(f"/v1/jobs/{job}").json()["reason"]
    assert len(scorer.models) == 2


@pytest.mark.slow
def test_a_model_that_is_gone_a_slide_that_hangs_and_one_that_is_well(
    open_with, slide_file, tmp_path, monkeypatch
):
    department = open_with(models=(str(tmp_path / "bundle"),))
    admin = browser_of(department)
    key = upload(admin, slide_file)
    first = admin.get("/v1/jobs").json()[0]["id"]
    bundle = tmp_path / "bundle"
    shutil.copytree(bundled_models()["her2-sim"], bundle)
    asked = {"slide": key, "measure": False}
    gone = admin.post("/v1/jobs", json={**asked, "model": str(bundle)}).json()["id"]
    shutil.rmtree(bundle)  # while the job waits
    lost = admin.post("/v1/jobs", json=asked).json()["id"]
    well = admin.post("/v1/jobs", json=asked).json()["id"]
    worker = ScoringWorker(department.database, department.settings, department.jobs)
    scorer = Scorer(seconds=120.0, memory=8e9)
    worker._scorers.put(scorer)
    try:
        with monkeypatch.context() as hanging:  # as a slide that never ends
            hanging.setattr(_scorer, "_START_S", 0.0)
            scorer._seconds = 0.001
            worker.run(first)
        scorer._seconds = 120.0
        worker.run(gone)
        worker._roll.say_alive()
        for _ in range(
            department.settings.job_attempts
        ):  # three workers took it and were never heard of again
            department.jobs.claim(lost, "gone", {"gone"})
        worker.run(lost)
        worker.run(well)
        worker.run(well)  # taken up once more by the queue: it has its result
    finally:
        scorer.end()
    told = {job["id"]: job for job in admin.get("/v1/jobs").json()}
    assert {job["state"] for job in told.values()} == {"done"}
    assert "bundle" in told[gone]["reason"]
    assert "minutes that it may" in told[first]["reason"]
    assert "lost 3 times" in told[lost]["reason"]
    assert told[well]["reason"] is None
    assert not any(str(department.settings.data) in (job["reason"] or "") for job in told.values())
    outcomes = [line["outcome"] for line in admin.get(f"/v1/slides/{key}/results").json()]
    assert outcomes[:3] == ["failed"] * 3
    assert outcomes[3] in ("issued", "refer")
    (row,) = admin.get("/v1/worklist").json()["rows"]
    assert row["state"] in ("issued", "referred")
    assert list((department.settings.data / "staging").iterdir()) == []


@pytest.mark.slow
def test_a_slide_is_measured_alone_when_a_program_asks_for_it(department, slide_file):
    admin = browser_of(department)
    key = upload(admin, slide_file)
    first = admin.get("/v1/jobs").json()[0]["id"]
    assert finish(department, first)
    _, secret = department.accounts.new_token(Who("test", Role.ADMIN), "lab", Role.OPERATOR, None)
    worker, scorer = (
        ScoringWorker(department.database, department.settings, department.jobs),
        Scorer(seconds=120.0, memory=8e9),
    )
    worker._scorers.put(scorer)
    try:
        with served(department) as address:
            client = ServiceClient(address, secret)
            job = client.measure(key, key="once")
            assert client.measure(key, key="once") == job
            with pytest.raises(ServiceError, match="another slide or kind"):
                client.score(key, key="once")
            worker.run(job)
            record = client.wait(job, seconds=1.0)
            lost = client.measure(key, control="left")
            scorer._seconds, scorer._ready = 0.001, True  # as a slide that never ends
            worker.run(lost)
            assert isinstance(client.result(lost), MeasuredSlide)
            assert "minutes that it may" in client.job(lost)["reason"]
    finally:
        scorer.end()
    assert isinstance(record, MeasuredSlide)
    assert (record.state, record.marker) == ("ok", "HER2")
    assert record.measured is not None
    assert record.measured.score in ("0", "1+", "2+", "3+")
    # The model's answer stays what is shown, with the measurement beside it.
    (row,) = admin.get("/v1/worklist").json()["rows"]
    assert (row["state"], row["score"]) == ("issued", "1+")
    shown = admin.get(f"/v1/slides/{key}").json()
    since = shown["measured_since"]
    assert (shown["headline"], shown["earlier"]) == ("HER2 1+", [])
    assert since["headline"] == f"HER2 measured {record.measured.score}"
    assert since["sentence"] == record.measured.sentence
    told = {chart.name: chart for chart in drift_of(department.database, department.settings).charts}
    assert [point.of for point in told["without an answer"].points] == [1]  # measurements answer nothing


def test_what_is_measured_is_the_slides_marker_and_no_model_is_asked(open_with, slide_file, tmp_path):
    department = open_with(model=str(tmp_path / "gone"))
    admin, asked = browser_of(department), []

    class Asking(Noted):
        def score(self, slide, out, request, *, verb, **_):
            asked.append((verb, request["marker"], "model" in request))
            raise ScoringError("test", "is not scored here.")

    worker = ScoringWorker(department.database, department.settings, department.jobs)
    worker._scorers.put(Asking())
    key = upload(admin, slide_file, marker="PR")
    job = admin.post("/v1/jobs", json={"slide": key, "kind": "measure"}).json()["id"]
    worker.run(job)
    worker.run(admin.post(f"/v1/jobs/{job}/retry").json()["id"])
    assert asked == [("measure", "PR", False)] * 2
    assert admin.get(f"/v1/results/{job}").json()["marker"] == "PR"
    for more in ({"model": "her2-sim"}, {"measure": False}):
        refused = admin.post("/v1/jobs", json={"slide": key, "kind": "measure", **more})
        assert refused.status_code == 422
        assert "asks no model" in refused.json()["detail"]
    # Without a marker, and without a model that would say one, nothing is guessed.
    copy = tmp_path / "unsaid.tif"
    copy.write_bytes(slide_file.read_bytes() + b"other")
    other = upload(admin, copy)
    refused = admin.post("/v1/jobs", json={"slide": other, "kind": "measure"})
    assert refused.status_code == 422
    assert "was not said what it is stained for" in refused.json()["detail"]
