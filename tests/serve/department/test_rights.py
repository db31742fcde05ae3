"""Every route and who may use it; signing in; what another site cannot do."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from lowpower.serve.department import department_app
from lowpower.serve.department._roles import RIGHTS, Role, may
from lowpower.serve.department.access import Who
from lowpower.serve.department.routes._gate import RateLimit

from .conftest import PASSWORD, browser_of, program_of

PLACES = {
    "key": "S-AAAA-AAAA", "name": "nobody", "secret": "wrong", "token_id": "0", "upload_id": "0",
    "job_id": "0", "result_id": "0", "level": "0", "column": "0", "row": "0", "number": "0", "form": "pdf",
    "case": "C-NONE",
}  # fmt: skip


def routes_of(app) -> set[tuple[str, str]]:
    """Every method and path that the service answers, read from the application itself."""
    inner = app
    while not hasattr(inner, "routes"):
        inner = inner._app
    found = set()

    def walk(routes, prefix=""):
        for route in routes:
            if isinstance(getattr(route, "original_router", None), APIRouter):
                walk(route.original_router.routes, prefix)
            elif hasattr(route, "methods"):
                found.update((method, prefix + route.path) for method in route.methods - {"HEAD"})

    walk(inner.routes)
    return found


def test_every_route_has_a_row_and_every_row_a_route(department):
    assert routes_of(department_app(department)) == set(RIGHTS)


def test_a_route_without_a_row_answers_nobody(department, admin):
    assert not may(Role.ADMIN, "GET", "/v1/forgotten")
    app = admin.app
    while not hasattr(app, "add_api_route"):
        app = app._app
    app.add_api_route("/v1/forgotten", lambda: "secret")
    app.router.routes.insert(0, app.router.routes.pop())
    assert admin.get("/v1/forgotten").status_code == 403


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_has_its_rights_and_no_others(department, role):
    client = (
        TestClient(department_app(department), base_url="http://127.0.0.1:8080")
        if role is None
        else program_of(department, role)
    )
    wrong = []
    for (method, route), allowed in RIGHTS.items():
        if route == "/v1/events":
            continue  # answers for minutes
        path = re.sub(r"\{(\w+)\}", lambda place: PLACES[place[1]], route)
        status = client.request(method, path, json={}).status_code
        open_to_it = allowed is None or role in allowed
        refused = status == (401 if role is None else 403)
        if route == "/v1/session" and method == "POST" and role is None:
            refused = False  # 422: no name was given
        if refused == open_to_it:
            wrong.append((method, route, status))
    assert wrong == []


def test_a_wrong_password_and_a_wrong_name_say_the_same_and_five_lock(department):
    browser_of(department, Role.READER, "Dr. B")
    client = TestClient(department_app(department), base_url="http://127.0.0.1:8080")

    def guess(name: str, password: str):
        return client.post("/v1/session", json={"name": name, "password": password})

    nobody, wrong = guess("Dr. X", PASSWORD), guess("Dr. B", "12345678901234")
    assert nobody.status_code == wrong.status_code == 401
    assert nobody.json()["detail"] == wrong.json()["detail"]
    for _ in range(4):
        guess("Dr. B", "12345678901234")
    locked = guess("Dr. B", PASSWORD)
    assert locked.status_code == 429
    assert "locked until" in locked.json()["detail"]


def test_tries_from_one_address_are_counted():
    now = [0.0]
    limit = RateLimit(2, clock=lambda: now[0])
    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [True, True, False, True]
    now[0] = 61.0
    assert limit.take("a")


def test_a_link_works_once_and_its_password_is_kept_by_argon2(department):
    link = department.accounts.first_link()
    assert department.accounts.use_link(link, "Dr. A", PASSWORD).who.role == Role.ADMIN
    client = TestClient(department_app(department), base_url="http://127.0.0.1:8080")
    again = client.post(f"/v1/links/{link}", json={"name": "Dr. B", "password": PASSWORD})
    assert again.status_code == 404
    assert department.accounts.first_link() is None
    (user,) = department.accounts.users()
    assert user.password.startswith("$argon2id$")


def test_first_links_end_when_a_new_one_is_printed(department):
    first, second = department.accounts.first_link(), department.accounts.first_link()
    client = TestClient(department_app(department), base_url="http://127.0.0.1:8080")
    assert client.get(f"/v1/links/{first}").status_code == 404
    assert client.get(f"/v1/links/{second}").json() == {"role": "admin", "user": None}


@pytest.mark.parametrize(("name", "password"), [("Dr. A", "short"), ("", PASSWORD), ("a\nb", PASSWORD)])
def test_odd_names_and_short_passwords_are_refused_and_the_link_stays(department, name, password):
    link = department.accounts.first_link()
    client = TestClient(department_app(department), base_url="http://127.0.0.1:8080")
    assert client.post(f"/v1/links/{link}", json={"name": name, "password": password}).status_code == 422
    assert client.get(f"/v1/links/{link}").status_code == 200


def test_another_site_cannot_make_a_browser_change_anything(admin):
    del admin.headers["X-CSRF-Token"]
    assert admin.get("/v1/users").status_code == 200
    refused = admin.post("/v1/tokens", json={"name": "theirs"})
    assert refused.status_code == 403
    assert admin.get("/v1/tokens").json() == []


def test_who_is_disabled_is_out_at_once_and_one_admin_stays(department, admin):
    reader = browser_of(department, Role.READER, "Dr. B")
    assert reader.get("/v1/worklist").status_code == 200
    assert admin.patch("/v1/users/Dr. B", json={"disabled": True}).status_code == 204
    assert reader.get("/v1/worklist").status_code == 401
    last = admin.patch("/v1/users/Dr. A", json={"disabled": True})
    assert (last.status_code, admin.get("/v1/users").status_code) == (422, 200)


def test_a_revoked_token_is_no_longer_good_and_only_its_hash_is_kept(department, admin):
    made = admin.post("/v1/tokens", json={"name": "scanner", "role": "service"}).json()
    program = TestClient(
        department_app(department),
        base_url="http://127.0.0.1:8080",
        headers={"Authorization": f"Bearer {made['secret']}"},
    )
    assert program.get("/v1/worklist").status_code == 200
    assert admin.get("/v1/tokens").json()[0]["secret"] is None
    assert made["secret"].encode() not in b"".join(
        path.read_bytes() for path in department.settings.data.glob("lowpower.db*")
    )
    assert admin.delete(f"/v1/tokens/{made['id']}").status_code == 204
    assert program.get("/v1/worklist").status_code == 401


def test_signing_out_ends_the_session_on_the_server(department, admin):
    cookie = admin.cookies["lowpower_session"]
    assert admin.delete("/v1/session").status_code == 204
    admin.cookies.set("lowpower_session", cookie)
    assert admin.get("/v1/worklist").status_code == 401


def test_a_new_password_ends_other_sessions(department, admin):
    reader = browser_of(department, Role.READER, "Dr. B")
    link = department.accounts.link(Who("Dr. A", Role.ADMIN), Role.READER, "Dr. B")
    department.accounts.use_link(link, "", "another long sentence")
    assert reader.get("/v1/worklist").status_code == 401
    assert department.accounts.sign_in("Dr. B", "another long sentence").who.role == Role.READER
