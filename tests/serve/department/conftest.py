"""A service of a department: its application in this process, or the whole of it in one of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import argon2
import numpy as np
import pydicom
import pytest
import uvicorn
from starlette.testclient import TestClient

import lowpower as lp
from lowpower.files import locked
from lowpower.scoring import MeasuredSlide, Result
from lowpower.serve import ServiceClient
from lowpower.serve.department import Database, Department, Settings, department_app, read_settings
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who

from .archives import ask, running_orthanc
from .databases import PostgreSql

PASSWORD = "a sentence to keep in mind"


@pytest.fixture(scope="session")
def slide_file(tmp_path_factory) -> Path:
    """A small simulated slide; tests link to it or copy it, and never change it."""
    base = tmp_path_factory.getbasetemp()
    home = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with locked(home / "lowpower-sample.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWPOWER_CACHE", str(base.parent / "lowpower-sample"))
        return lp.sample()


@pytest.fixture(scope="session")
def series(tmp_path_factory, slide_file):
    """A simulated slide as a DICOM series of two levels and a label, of a patient with a name."""
    spec = importlib.util.spec_from_file_location(
        "_dicom_writer", Path(__file__).parents[2] / "slides" / "_dicom_writer.py"
    )
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    folder = tmp_path_factory.mktemp("series")
    with lp.open_slide(slide_file) as slide:
        image = slide.read(lp.Box(600, 600, 1024, 1024), float(slide.mpp))
    uids = writer.new_uids()
    half = image.reshape(512, 2, 512, 2, 3).mean((1, 3)).astype(np.uint8)
    writer.write_level(folder / "0.dcm", image, 0.5, uids, number=1)
    writer.write_level(folder / "1.dcm", half, 1.0, uids, number=2)
    writer.write_level(folder / "label.dcm", image[:64, :64], 4.0, uids, kind="LABEL", number=9)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = "Doe^Jane", "MRN-1961", "A-77"
        dataset.PatientBirthDate = "19610101"
        dataset.save_as(path)
    return folder


@pytest.fixture(scope="session")
def empty_data(tmp_path_factory) -> Path:
    """A data folder as the first start leaves it; making its tables takes longer than most tests."""
    folder = tmp_path_factory.mktemp("template") / "data"
    opened = Department.open(read_settings(None, {}, data=folder, workers=0))
    opened.database.close()
    return folder


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2 at its cheapest: hundreds of accounts are made here, and one test looks at the true costs."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lowpower.serve.department.access._accounts._HASHER", quick)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A PostgreSQL of its own for this process's tests."""
    memory = Path("/dev/shm")  # four times as fast as a disk, and nothing in it is to last
    home = memory if memory.is_dir() and shutil.disk_usage(memory).free > 2e9 else None
    with tempfile.TemporaryDirectory(prefix="lowpower-postgresql-", dir=home) as folder:
        cluster = PostgreSql(Path(folder))
        yield cluster
        cluster.stop()


@pytest.fixture(scope="session")
def empty_postgresql(postgresql, tmp_path_factory) -> str:
    """The name of a database as the first start leaves it."""
    url = postgresql.new()
    folder = tmp_path_factory.mktemp("postgresql") / "data"
    opened = Department.open(read_settings(None, {}, data=folder, database=url, workers=0))
    opened.database.close()
    return url.rsplit("/", 1)[1]


def open_made(settings: Settings) -> Department:
    """Open a department whose tables are a copy of what the first start made, without a look at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "migrate", lambda _: None)
        return Department.open(settings)


@pytest.fixture
def database_kind() -> str:
    """SQLite; modules whose tests are about what is in the database say both, by a fixture of this name."""
    return "sqlite"


@pytest.fixture
def open_with(request, tmp_path, empty_data, database_kind) -> Iterator[Callable[..., Department]]:
    """Opens a department with settings of one's own, its tables made already."""
    opened = []

    def start(**about) -> Department:
        shutil.copytree(empty_data, tmp_path / "data")
        url = None
        if database_kind == "postgresql":
            url = request.getfixturevalue("postgresql").new(request.getfixturevalue("empty_postgresql"))
        told = {"data": tmp_path / "data", "database": url, "keep_free_gb": 0.0, "workers": 0, **about}
        opened.append(open_made(read_settings(None, {}, **told)))
        return opened[-1]

    yield start
    for department in opened:
        department.database.close()


@pytest.fixture
def department(open_with) -> Department:
    return open_with()


def browser_of(department: Department, role: Role = Role.ADMIN, name: str = "Dr. A") -> TestClient:
    """Signed in as a browser is: by cookie, with the word that changes need."""
    client = TestClient(department_app(department), base_url="http://127.0.0.1:8080")
    link = department.accounts.link(Who("test", Role.ADMIN), role)
    told = client.post(f"/v1/links/{link}", json={"name": name, "password": PASSWORD})
    assert told.status_code == 201, told.text
    client.headers["X-CSRF-Token"] = told.json()["csrf"]
    return client


def program_of(department: Department, role: Role = Role.SERVICE) -> TestClient:
    """With a token, as programs come."""
    _, secret = department.accounts.new_token(Who("test", Role.ADMIN), f"a {role}", role, None)
    return TestClient(
        department_app(department),
        base_url="http://127.0.0.1:8080",
        headers={"Authorization": f"Bearer {secret}"},
    )


@pytest.fixture
def admin(department) -> TestClient:
    return browser_of(department)


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory) -> Iterator[str]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as address:
        yield address


@pytest.fixture
def archive(orthanc, series, open_with):
    """A department beside an archive that holds the series."""
    for path in sorted(series.iterdir()):
        with ask(f"{orthanc}/instances", path.read_bytes()) as answer:
            assert answer.status == 200
    department = open_with(
        dicomweb=f"{orthanc}/dicom-web", dicomweb_user="lowpower", dicomweb_password="secret"
    )
    return department, browser_of(department)


@contextlib.contextmanager
def served(department: Department) -> Iterator[str]:
    """The address of a department in this process; nothing is scored."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        department_app(department), log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()


@contextlib.contextmanager
def page_of(department: Department, browser, **view) -> Iterator[Any]:
    """The page of a department in this process, an admin signed in."""
    link = department.accounts.link(Who("test", Role.ADMIN), Role.ADMIN)
    with (
        served(department) as address,
        browser.new_page(viewport={"width": 1366, "height": 768}, **view) as page,
    ):
        page.goto(f"{address}/#link={link}")
        page.get_by_label(re.compile("^Name")).fill("Dr. P")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.locator("#who").wait_for()
        yield page


def scored_record(folder: Path, **about) -> Path:
    """A result as scoring writes it, for what is done with results, not for what they say."""
    told = {
        "file": "slide.tif", "slide_sha256": "0" * 64, "marker": "HER2", "scheme": "her2_four",
        "decision": "1+", "state": "ok", "software_version": lp.__version__,
    }  # fmt: skip
    record = Result.model_validate(told | about)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(record.model_dump_json())
    return folder


def finish(department: Department, job_id: str, worker: str = "w", **about) -> bool:
    """Claim a job and give it a result, as a worker does."""
    claimed = department.jobs.claim(job_id, worker, {worker})
    assert claimed is not None
    folder = scored_record(department.settings.data / "results" / f"{job_id}-{worker}", **about)
    text = (folder / "result.json").read_bytes()
    record = Result.model_validate_json(text)
    return department.jobs.finish(claimed, worker, record, folder.name, text, time.time_ns())


def finish_measured(department: Department, job_id: str, score: str) -> bool:
    """The same for a job that measures."""
    claimed = department.jobs.claim(job_id, "w", {"w"})
    assert claimed is not None
    measured = {
        "marker": "HER2", "sentence": f"most cells say {score}.", "tumour_cells": 9, "cells": {},
        "score": score,
    }  # fmt: skip
    told = {"file": "slide.tif", "slide_sha256": "0" * 64, "state": "ok", "software_version": lp.__version__}
    record = MeasuredSlide.model_validate({**told, "marker": "HER2", "measured": measured})
    folder = department.settings.data / "results" / f"{job_id}-w"
    folder.mkdir(parents=True)
    text = record.model_dump_json().encode()
    (folder / "measurement.json").write_bytes(text)
    return department.jobs.finish(claimed, "w", record, folder.name, text, time.time_ns())


def upload(client: TestClient, path: Path, **about) -> str:
    """A slide in pieces; its pseudonym."""
    data = path.read_bytes()
    begun = client.post("/v1/uploads", json={"name": path.name, "size": len(data), **about})
    assert begun.status_code == 201, begun.text
    told = begun.json()
    while told["received"] < len(data):
        at = told["received"]
        answer = client.patch(
            f"/v1/uploads/{told['id']}",
            content=data[at : at + told["piece"]],
            headers={"Upload-Offset": str(at)},
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
    done = client.post(f"/v1/uploads/{told['id']}/complete")
    assert done.status_code == 201, done.text
    return done.json()["slide"]


@dataclass
class Running:
    """`lowpower serve` in a process of its own."""

    data: Path
    extra: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    address: str = ""
    link: str = ""

    def start(self, *more: str, task: str = "run") -> Running:
        """Start it, and for the service wait until it answers."""
        log = (self.data.parent / "serve.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lowpower", "serve", task, "--data", str(self.data), *self.extra, *more]
            + (["--port", "0"] if task == "run" else []),
            stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            env={**os.environ, "LOWPOWER_SERVE_KEEP_FREE_GB": "0", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        log.close()
        if task == "run":
            assert self.process.stdout is not None
            self.address = self.process.stdout.readline().strip()
            assert self.address.startswith("http"), (self.data.parent / "serve.log").read_text()
        return self

    def first_link(self) -> str:
        """The secret that the first start printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        found = re.search(r"#link=(\S+)", self.process.stdout.readline())
        assert found is not None
        return found[1]

    def client(self, role: Role = Role.OPERATOR) -> ServiceClient:
        """A program's way in."""
        department = self.department()
        _, secret = department.accounts.new_token(Who("test", Role.ADMIN), f"a {role}", role, None)
        department.database.close()
        return ServiceClient(self.address, secret)

    def department(self) -> Department:
        """The same database and data, looked at from here."""
        options = dict(zip(self.extra[::2], self.extra[1::2], strict=True))
        return Department.open(
            read_settings(None, {}, data=self.data, database=options.get("--database"), keep_free_gb=0.0)
        )

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, as a power cut does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(120)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None


@pytest.fixture
def running(tmp_path) -> Iterator[Running]:
    service = Running(tmp_path / "data")
    yield service
    service.kill()


def wait_until(true: Callable[[], bool], seconds: float = 180.0) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
