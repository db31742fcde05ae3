"""Orthanc with its DICOMweb plug-in, on this machine alone."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lowpower as lp
from lowpower.serve.department import Department

__all__ = ["ask", "free_port", "running_orthanc", "score"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(address: str, data: bytes | None = None) -> Any:
    """What Orthanc answers to the user of these tests."""
    word = base64.b64encode(b"lowpower:secret").decode()
    return urllib.request.urlopen(urllib.request.Request(address, data, {"Authorization": f"Basic {word}"}))


@contextlib.contextmanager
def running_orthanc(home: Path) -> Iterator[str]:
    """Its address, while it runs."""
    plugins = Path("/usr/share/orthanc/plugins")
    if shutil.which("Orthanc") is None or not list(plugins.glob("libOrthancDicomWeb*")):
        reason = "there is no Orthanc with DICOMweb here (Debian: apt-get install orthanc orthanc-dicomweb)"
        if os.environ.get("CI") and not os.environ.get("LOWPOWER_NO_ORTHANC"):
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    config = home / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "Name": "tests", "StorageDirectory": str(home / "store"),
                "IndexDirectory": str(home / "store"),
                "Plugins": [str(plugins)], "HttpPort": port, "DicomPort": free_port(),
                "RemoteAccessAllowed": False, "AuthenticationEnabled": True,
                "RegisteredUsers": {"lowpower": "secret"}, "HttpsVerifyPeers": False,
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Host": "localhost", "Ssl": False},
            }
        )
    )  # fmt: skip
    log = (home / "log").open("w")
    process = subprocess.Popen(["Orthanc", str(config)], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"

    deadline = time.monotonic() + 120
    while True:
        with contextlib.suppress(OSError), ask(f"{address}/system"):
            break
        assert process.poll() is None, (home / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def score(department: Department, job: str, scored: Path) -> pl.DataFrame:
    """Do a job as a worker does, and give its result cells of another slide; those cells."""
    results = department.settings.data / "results"
    claimed = department.jobs.claim(job, "w", {"w"})
    assert claimed is not None
    (result,) = lp.score_files(
        [claimed.slide], out=department.settings.data / "out", measure=False, pictures=False
    )
    assert result.state == "ok", result.reason
    results.mkdir()
    result.attached().folder.rename(results / "r")
    cells = pl.read_parquet(scored / "simulated-her2" / "cells.parquet")
    cells = cells.filter((pl.col("x") < 1000) & (pl.col("y") < 1000))
    cells.write_parquet(results / "r" / "cells.parquet")
    assert department.jobs.finish(claimed, "w", result, "r", (results / "r" / "result.json").read_bytes(), 1)
    return cells
