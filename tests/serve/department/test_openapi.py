"""The interface answers as its description says, whatever it is sent."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from lowpower.serve.department import department_app, read_settings
from lowpower.serve.department._roles import RIGHTS, Role
from lowpower.serve.department.access import Who

from .conftest import finish, open_made, upload

EXAMPLES = int(os.environ.get("LOWPOWER_SCHEMATHESIS_EXAMPLES", "4"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def api(tmp_path_factory, slide_file, scored, empty_data):
    """The service with one slide, seen by an admin's token."""
    folder = tmp_path_factory.mktemp("api") / "data"
    shutil.copytree(empty_data, folder)
    department = open_made(read_settings(None, {}, data=folder, keep_free_gb=0.0, workers=0))
    _, secret = department.accounts.new_token(Who("test", Role.ADMIN), "tests", Role.ADMIN, None)
    headers = {"Authorization": f"Bearer {secret}"}
    program = TestClient(department_app(department), headers=headers)
    key = upload(program, slide_file)
    job = program.get("/v1/jobs").json()[0]["id"]
    finish(department, job, **json.loads((scored / "simulated-her2" / "result.json").read_text()))
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", department_app(department), headers=headers)
    schema.config.update(headers=headers)
    yield schema, {"key": key, "job_id": job, "result_id": job}
    department.database.close()


def test_whatever_it_is_sent(api):
    schema, there = api
    tried, answered = set(), set()
    for found in schema.exclude(path="/v1/events").get_all_operations():  # that one answers for minutes
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def try_it(case):
            if case.method != "DELETE":  # on what is there, not only on what is not
                case.path_parameters = {
                    **case.path_parameters,
                    **{n: there[n] for n in there if n in case.path_parameters},
                }
            answer = case.call_and_validate(checks=CHECKS)
            answered.add((case.method.upper(), case.operation.path, answer.status_code))

        try_it()
        tried.add((operation.method.upper(), operation.path))
    assert tried == set(RIGHTS) - {("GET", "/v1/events"), ("GET", "/v1/openapi.json")}
    assert ("GET", "/v1/slides/{key}", 200) in answered
