"""Studies as jobs: who may, from where, what becomes of one that is killed, and what is handed out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from alembic import command, config
from sqlalchemy.exc import IntegrityError
from tests.training.toys import toy_cohort

import lowpower.serve.department.records
from lowpower.serve import ServiceError
from lowpower.serve.child import ScoringError
from lowpower.serve.department import Database, Department, purge, read_settings, verify_audit
from lowpower.serve.department._roles import Role
from lowpower.serve.department.jobs import ScoringWorker

from .conftest import program_of, upload, wait_until

MIGRATIONS = Path(lowpower.serve.department.records.__file__).parent / "migrations"
STUDY = """
cohort: cohort.csv
accelerator: cpu
folds: {outer: 2, validation_share: 0.4}
patches: {size: 48, max_patches: 4, min_tissue: 0.3}
arms:
  - {name: stain, paradigm: mil, encoder: stain, mpp: 2, fitting: {epochs: 2}}
  - {name: mean, paradigm: mil, encoder: stain, mpp: 2, aggregator: mean, fitting: {epochs: 2}}
"""


@pytest.fixture
def studies(tmp_path):
    """A folder of configurations that may be run."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    return folder


@pytest.fixture
def department(open_with, studies):
    return open_with(study_roots=(studies,))


class Ran:
    """In place of the child: as much of a study as the test says, and what was asked."""

    def __init__(self, *, does=None) -> None:
        self.asked: list[tuple[str, str, bool, float]] = []
        self._does = does

    def score(self, slide, out, request, *, verb, seconds, progress, wanted):
        self.asked.append((slide.name, out.name, request["fresh"], seconds))
        if self._does is not None:
            self._does(progress, wanted)
        (out / "results").mkdir(exist_ok=True)
        for name in ("report.html", "arms.csv", "tests.csv", "groups.csv", "results/units.csv"):
            (out / name).write_text(f"{name} of {slide.name}")
        return out

    def end(self) -> None:
        pass


def worker_of(department, child) -> ScoringWorker:
    worker = ScoringWorker(department.database, department.settings, department.jobs)
    worker._studies = child
    return worker


def ask(client, studies, **more):
    return client.post("/v1/jobs", json={"kind": "study", "study": str(studies / "study.yaml"), **more})


def test_a_study_is_run_once_and_its_report_is_handed_out(department, studies):
    operator = program_of(department, Role.OPERATOR)
    job = ask(operator, studies).json()
    assert (job["kind"], job["slide"], job["state"]) == ("study", None, "waiting")
    assert operator.get(f"/v1/jobs/{job['id']}/files/report.html").status_code == 409
    shares = []

    def half(progress, wanted) -> None:
        progress(0.5)
        shares.append(operator.get(f"/v1/jobs/{job['id']}").json()["progress"])
        assert wanted()

    child = Ran(does=half)
    worker = worker_of(department, child)
    worker.run(job["id"])
    worker.run(job["id"])  # taken up once more by the queue
    told = operator.get(f"/v1/jobs/{job['id']}").json()
    assert (told["state"], told["reason"], told["progress"], shares) == ("done", None, 1.0, [0.5])
    assert [(name, fresh, seconds) for name, _, fresh, seconds in child.asked] == [
        ("study.yaml", False, 24 * 3600.0)
    ]
    report = operator.get(f"/v1/jobs/{job['id']}/files/report.html")
    assert report.text == "report.html of study.yaml"
    assert "attachment" in report.headers["content-disposition"]  # not shown as a page of this service
    assert operator.get(f"/v1/jobs/{job['id']}/files/units.csv").text == "results/units.csv of study.yaml"
    assert operator.get(f"/v1/jobs/{job['id']}/files/predictions.csv").status_code == 404
    worker._sweep()
    assert verify_audit(department.database).problem is None
    again = operator.post(f"/v1/jobs/{job['id']}/retry")
    assert (again.status_code, again.json()["asked"]["study"]) == (201, str(studies / "study.yaml"))


def test_only_who_works_here_may_ask_for_a_study(department, studies, slide_file):
    operator, reader = program_of(department, Role.OPERATOR), program_of(department, Role.READER)
    refused = ask(reader, studies)
    assert (refused.status_code, "no right to studies" in refused.json()["detail"]) == (403, True)
    job = ask(operator, studies).json()["id"]
    for what in ("cancel", "retry"):
        assert reader.post(f"/v1/jobs/{job}/{what}").status_code == 403
    assert reader.get(f"/v1/jobs/{job}/files/report.html").status_code == 403
    key = upload(operator, slide_file)  # slides are scored as ever beside it
    assert reader.post("/v1/jobs", json={"slide": key}).status_code == 201


def test_a_configuration_lies_below_an_allowed_folder(department, open_with, studies, tmp_path):
    operator = program_of(department, Role.OPERATOR)
    (tmp_path / "other.yaml").write_text(STUDY)
    (studies / "link.yaml").symlink_to(tmp_path / "other.yaml")
    for given in ("../other.yaml", "link.yaml", "gone.yaml", "."):
        refused = operator.post("/v1/jobs", json={"kind": "study", "study": str(studies / given)})
        assert refused.status_code == 422
        assert "one of the folders that studies may be run from" in refused.json()["detail"], given
    for wrong in ({"kind": "study"}, {"kind": "study", "slide": "S-1"}, {"study": "a.yaml"}, {}):
        assert operator.post("/v1/jobs", json=wrong).status_code == 422
    assert ask(operator, studies).status_code == 201
    twice = ask(operator, studies)
    assert (twice.status_code, "is waiting or being run already" in twice.json()["detail"]) == (422, True)


def test_without_folders_for_them_there_are_no_studies(open_with, studies):
    refused = ask(program_of(open_with(), Role.OPERATOR), studies)
    assert (refused.status_code, "setting study_roots" in refused.json()["detail"]) == (422, True)


def test_a_study_that_is_cancelled_lost_or_fails_goes_on_in_the_same_folder(department, studies):
    operator = program_of(department, Role.OPERATOR)
    first = ask(operator, studies).json()["id"]

    def cancelled(progress, wanted) -> None:
        operator.post(f"/v1/jobs/{first}/cancel")
        assert not wanted()
        raise ScoringError("cancelled", "it was cancelled.")

    child = Ran(does=cancelled)
    worker_of(department, child).run(first)
    assert operator.get(f"/v1/jobs/{first}").json()["state"] == "cancelled"

    second = operator.post(f"/v1/jobs/{first}/retry").json()["id"]
    department.jobs.claim(second, "gone", {"gone"})  # a worker that was never heard of again
    child._does = None
    worker_of(department, child).run(second)
    told = operator.get(f"/v1/jobs/{second}").json()
    assert (told["state"], told["attempts"]) == ("done", 2)

    def fails(progress, wanted) -> None:
        raise ScoringError("config", "the configuration is wrong.")

    third = ask(operator, studies, force=True).json()["id"]
    child._does = fails
    worker_of(department, child).run(third)
    told = operator.get(f"/v1/jobs/{third}").json()
    assert (told["state"], told["reason"]) == ("done", "the configuration is wrong.")
    assert operator.get(f"/v1/jobs/{third}/files/report.html").status_code == 409
    assert len({out for _, out, _, _ in child.asked}) == 1
    assert [fresh for *_, fresh, _ in child.asked] == [False, False, True]
    (studies / "study.yaml").write_text(STUDY.replace("epochs: 2", "epochs: 3"))
    worker_of(department, Ran()).run(ask(operator, studies).json()["id"])
    assert len(list((department.settings.data / "studies").iterdir())) == 2  # another study than it was


def test_the_work_of_a_study_goes_by_the_rule_of_slides_and_its_report_stays(department, studies):
    operator = program_of(department, Role.OPERATOR)
    job = ask(operator, studies).json()["id"]
    worker_of(department, Ran()).run(job)
    keeping = Department.open(department.settings.model_copy(update={"keep_days": 30}))
    (work,) = (department.settings.data / "studies").iterdir()
    assert purge(keeping).studies == ()

    old = time.time() - 31 * 86400
    for path in (work, *work.rglob("*")):
        os.utime(path, (old, old))
    waits = ask(operator, studies).json()["id"]
    assert purge(keeping).studies == ()  # which a job is to go on with
    assert operator.post(f"/v1/jobs/{waits}/cancel").status_code == 200
    gone = purge(keeping)
    assert (gone.slides, gone.studies, gone.bytes > 0) == ((), (work.name,), True)
    assert not work.exists()
    assert operator.get(f"/v1/jobs/{job}/files/report.html").text == "report.html of study.yaml"
    assert verify_audit(department.database).problem is None
    keeping.database.close()


@pytest.mark.slow
def test_a_true_study_whose_service_is_killed_goes_on_where_it_was(running, studies, monkeypatch):
    toy_cohort(studies, per_class=4)
    monkeypatch.setenv("LOWPOWER_SERVE_STUDY_ROOTS", str(studies))
    monkeypatch.setenv("LOWPOWER_SERVE_LOST_AFTER_S", "6")
    units = running.data / "studies"
    client = running.start().client()
    job = client.study(studies / "study.yaml", key="once")
    assert client.study(studies / "study.yaml", key="once") == job
    wait_until(lambda: any(units.glob("*/units/*/*/done.json")), 240)
    running.kill()
    done = {path: path.stat().st_mtime_ns for path in units.glob("*/units/*/*/done.json")}
    assert 0 < len(done) < 4
    client = running.start().client()
    told = client.wait_for(job, seconds=300.0)
    assert (told["reason"], told["progress"], told["attempts"]) == (None, 1.0, 2)
    assert {path: path.stat().st_mtime_ns for path in done} == done  # not made again
    report = client.study_file(job, "report.html", studies / "report.html")
    assert "Research use only" in report.read_text()
    table = client.study_file(job, "arms.csv", studies / "arms.csv").read_text()
    assert {"stain", "mean"} <= {line.split(",")[0] for line in table.splitlines()}
    with pytest.raises(ServiceError, match=r"A study has report\.html"):
        client.study_file(job, "predictions.csv", studies / "none.csv")
    department = running.department()
    assert verify_audit(department.database).problem is None
    department.database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_jobs_of_an_older_database_stay_and_new_ones_may_be_without_a_slide(request, tmp_path, kind):
    url = request.getfixturevalue("postgresql").new() if kind == "postgresql" else None
    (tmp_path / "data").mkdir()
    database = Database(read_settings(None, {}, data=tmp_path / "data", database=url, workers=0))
    with database.engine.begin() as connection:
        told = config.Config()
        told.set_main_option("script_location", str(MIGRATIONS))
        told.attributes["connection"] = connection
        command.upgrade(told, "0004")
        for statement in ROWS:
            connection.exec_driver_sql(statement)
    database.migrate()
    with database.engine.begin() as connection:
        row = connection.exec_driver_sql("SELECT id, slide_id, folder FROM jobs").one()
        assert tuple(row) == ("j", "S-1", None)
        connection.exec_driver_sql(ROWS[1].replace("'j', 'S-1'", "'k', NULL"))
    with (
        pytest.raises(IntegrityError),
        database.engine.begin() as connection,
    ):  # what points to a row is watched again
        connection.exec_driver_sql("DELETE FROM jobs WHERE id = 'j'")
    database.close()


ROWS = (
    "INSERT INTO slides (id, origin, source, path, sha256, size, added_by, added, state, rank, score, "
    "sureness, words, answer_words, reading) VALUES ('S-1', 'upload', '', '', 'x', 1, 'a', 't', 'waiting', "
    "1, '', 2.0, '', '', 'none')",
    'INSERT INTO jobs (id, slide_id, asked, state, priority, "by", created, attempts) '
    "VALUES ('j', 'S-1', '{}', 'done', 100, 'a', 't', 1)",
    "INSERT INTO results (id, job_id, slide_id, folder, record, sha256, outcome, created, written) "
    "VALUES ('j', 'j', 'S-1', 'f', '{}', 'x', 'issued', 't', 1)",
)
