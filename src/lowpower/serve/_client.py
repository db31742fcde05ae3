"""A small client of `lowpower serve`, for programs; it needs nothing but Python."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from lowpower.errors import LowpowerError
from lowpower.files import sha256_of, write_bytes
from lowpower.scoring import MeasuredSlide, Result
from lowpower.serve._shelf import record_of

__all__ = ["ServiceClient", "ServiceError"]

_TRIES: Final = 4


class ServiceError(LowpowerError):
    """The service said no.

    Attributes:
        status: HTTP's number.
        problem: What it said, as problem+json.
    """

    code = "service"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.problem = status, problem
        super().__init__(str(problem.get("detail", f"The service answered {status}.")))


class ServiceClient:
    """Sends slides, waits for results, fetches reports.

    Args:
        address: Of the service, for instance https://lowpower.example.
        token: A token of role service, operator or more.
        timeout: Seconds that an answer may take.

    Examples::

        client = ServiceClient("http://127.0.0.1:8080", "lp_...")
        key, job = client.upload("case-17.svs", case="2026-17")
        print(client.wait(job))
    """

    def __init__(self, address: str, token: str, *, timeout: float = 60.0) -> None:
        self._home, self._token, self._timeout = address.rstrip("/"), token, timeout

    def upload(
        self,
        path: str | Path,
        *,
        case: str | None = None,
        marker: str | None = None,
        mpp: float | None = None,
        laboratory: str | None = None,
    ) -> tuple[str, str]:
        """Send a slide, going on where it stopped when the connection breaks; its pseudonym and its job.

        Args:
            path: A file, or the folder of a DICOM series.
            case: The case, in your own words; kept as a pseudonym.
            marker: HER2, ER, PR or Ki-67; the model's if None.
            mpp: um/px, over what the file says.
            laboratory: Which one stained it.

        Raises:
            ServiceError: it is not taken: no slide, too large, here already (`problem["slide"]`), disk full,
                or a series of which a part is missing (status 201).
        """
        path, made = Path(path), {"slide": None, "job": None}
        parts = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        said = {"case": case, "marker": marker, "mpp": mpp, "laboratory": laboratory}
        about: dict[str, Any] = {**said, "files": len(parts)}
        for part in parts:
            made = self._sent(part, about)
        if made["slide"] is None:
            raise ServiceError(201, {"detail": made.get("waits_for", f"{path}: holds no files.")})
        return made["slide"], made["job"]

    def _sent(self, file: Path, about: dict[str, Any]) -> dict[str, Any]:
        asked = {"name": file.name, "size": file.stat().st_size, "sha256": sha256_of(file), **about}
        told = self._json("POST", "/v1/uploads", asked)
        with file.open("rb") as opened:
            while told["received"] < told["size"]:
                opened.seek(told["received"])
                told = self._piece(told, opened.read(told["piece"]))
        return self._json("POST", f"/v1/uploads/{told['id']}/complete")

    def register(
        self,
        path: str | Path,
        *,
        case: str | None = None,
        mpp: float | None = None,
        laboratory: str | None = None,
    ) -> tuple[str, str]:
        """Name a slide below a folder that the service may read; its pseudonym and its job."""
        about = {"path": str(path), "case": case, "mpp": mpp, "laboratory": laboratory}
        made = self._json("POST", "/v1/slides", about)
        return made["slide"], made["job"]

    def score(self, slide: str, *, key: str | None = None, **asked: Any) -> str:
        """Ask for a slide to be scored; the job. With the same `key` again it is the same job."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return str(self._json("POST", "/v1/jobs", {"slide": slide, **asked}, headers)["id"])

    def measure(self, slide: str, *, key: str | None = None, **asked: Any) -> str:
        """Ask for a slide's stain to be measured alone, without a model; the job, as `score`."""
        return self.score(slide, key=key, kind="measure", **asked)

    def study(self, configuration: str | Path, *, key: str | None = None, **asked: Any) -> str:
        """Ask for a study to be run whose configuration lies where the service may read it; the job."""
        headers = {} if key is None else {"Idempotency-Key": key}
        told = {"kind": "study", "study": str(configuration), **asked}
        return str(self._json("POST", "/v1/jobs", told, headers)["id"])

    def study_file(self, job: str, name: str, out: str | Path) -> Path:
        """Fetch report.html, arms.csv, tests.csv, groups.csv or units.csv of a study that is done."""
        out = Path(out)
        write_bytes(out, self._ask("GET", f"/v1/jobs/{job}/files/{quote(name)}"))
        return out

    def job(self, job: str) -> dict[str, Any]:
        """How far a job is."""
        return self._json("GET", f"/v1/jobs/{job}")

    def wait(self, job: str, *, seconds: float = 3600.0, every: float = 0.5) -> Result | MeasuredSlide:
        """Wait for the result of a job that scores or measures.

        Raises:
            TimeoutError: it takes longer.
            ServiceError: the job was cancelled.
        """
        self.wait_for(job, seconds=seconds, every=every)
        return self.result(job)

    def wait_for(self, job: str, *, seconds: float = 3600.0, every: float = 0.5) -> dict[str, Any]:
        """Wait until any job is done, and tell of it: `reason`, where it came to nothing; as `wait`."""
        deadline = time.monotonic() + seconds
        while True:
            told = self.job(job)
            if told["state"] == "done":
                return told
            if told["state"] == "cancelled":
                raise ServiceError(409, {"detail": f"Job {job} was cancelled."})
            if time.monotonic() > deadline:
                raise TimeoutError(f"Job {job} is {told['state']} after {seconds:g} s.")
            time.sleep(every)

    def result(self, result: str) -> Result | MeasuredSlide:
        """A result by its number, which is its job's; of a job that measured its measurement."""
        return record_of(self._ask("GET", f"/v1/results/{result}"))

    def worklist(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """Rows of the worklist, page after page: search, show, sort."""
        cursor: str | None = ""
        while cursor is not None:
            told = self._json("GET", f"/v1/worklist?{urlencode({**asked, 'cursor': cursor})}")
            yield from told["rows"]
            cursor = told["next"]

    def case(self, case: str) -> dict[str, Any]:
        """A case by its pseudonym: its slides, and the subtype that they give together."""
        return self._json("GET", f"/v1/cases/{quote(case)}")

    def report(self, slide: str, form: str, out: str | Path) -> Path:
        """Fetch a report: pdf, fhir, dicom-sr or geojson."""
        out = Path(out)
        write_bytes(out, self._ask("GET", f"/v1/slides/{quote(slide)}/reports/{quote(form)}"))
        return out

    def _piece(self, told: dict[str, Any], piece: bytes) -> dict[str, Any]:
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        headers = {
            "Upload-Offset": str(told["received"]),
            "Repr-Digest": f"sha-256={digest}",
            "Content-Type": "application/octet-stream",
        }
        where = f"/v1/uploads/{told['id']}"
        for tried in range(_TRIES):
            try:
                return dict(json.loads(self._ask("PATCH", where, piece, headers)))
            except ServiceError as error:
                if error.status == 409:  # it has more, or less, than we thought
                    return self._json("GET", where)
                if error.status not in (422, 503) or tried == _TRIES - 1:
                    raise
            except OSError:
                if tried == _TRIES - 1:
                    raise
            time.sleep(2**tried / 2)
        raise AssertionError("the last try raises")

    def _json(
        self,
        method: str,
        where: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        told = json.loads(
            self._ask(method, where, data, {"Content-Type": "application/json", **(headers or {})})
        )
        return dict(told)

    def _ask(
        self, method: str, where: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        request = urllib.request.Request(
            self._home + where,
            data,
            {"Authorization": f"Bearer {self._token}", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                said = error.read()
            try:
                problem = dict(json.loads(said))
            except ValueError:
                problem = {}
            raise ServiceError(error.code, problem) from error
