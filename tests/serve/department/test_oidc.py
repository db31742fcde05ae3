"""Signing in at a provider: a real one on this machine, and tokens that are not to be believed."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from starlette.testclient import TestClient

from lowpower.errors import ConfigError
from lowpower.serve.department import department_app, read_settings
from lowpower.serve.department.access import Oidc, OidcError

from .conftest import PASSWORD, browser_of, served, wait_until

pytestmark = pytest.mark.skipif(
    find_spec("authlib") is None or find_spec("oidc_provider_mock") is None,
    reason="Authlib and oidc-provider-mock are not installed (pip install -e '.[dev]')",
)

ROLES = "pathologists=reader, it=admin"


@pytest.fixture(scope="module")
def provider():
    """oidc-provider-mock, which speaks the protocol by Authlib's server; anybody may be anybody there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://localhost:{port}"

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{address}/.well-known/openid-configuration", timeout=60).ok
        assert process.poll() is None
        return False

    wait_until(answers)
    yield address
    process.terminate()
    process.wait(60)


@pytest.fixture
def signing_in(open_with, provider):
    department = open_with(oidc_issuer=provider, oidc_secret="word", oidc_roles=ROLES)

    def come(subject: str, **claims) -> TestClient:
        """A browser that went to the provider and came back."""
        requests.put(f"{provider}/users/{subject}", json=claims, timeout=60).raise_for_status()
        browser = TestClient(
            department_app(department), base_url="http://127.0.0.1:8080", follow_redirects=False
        )
        browser.returned = browser.get(_back_from(browser.get("/v1/oidc/start"), subject))
        return browser

    return department, come


def _back_from(begun, subject: str) -> str:
    """Say at the provider who one is; where it sends the browser."""
    assert begun.status_code == 303
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert (asked["code_challenge_method"], len(asked["nonce"][0]) > 20) == (["S256"], True)
    answer = requests.post(
        begun.headers["location"], data={"sub": subject}, allow_redirects=False, timeout=60
    )
    place = urlsplit(answer.headers["location"])
    assert place.path == "/v1/oidc/back"
    return f"{place.path}?{place.query}"


def test_a_group_brings_its_role_at_every_sign_in(signing_in):
    department, come = signing_in
    browser = come("a", name="Dr. A", groups=["pathologists", "golf"])
    assert (browser.returned.status_code, browser.returned.headers["location"]) == (303, "/")
    told = browser.get("/v1/session").json()
    assert (told["name"], told["role"], told["provider"]) == ("Dr. A", "reader", "single sign-on")
    assert browser.post("/v1/links", json={}).status_code == 403
    # Another group, another name: the same account.
    assert come("a", name="Dr. Adams", groups=["it"]).get("/v1/session").json()["role"] == "admin"
    (user,) = department.accounts.users()
    assert (user.name, user.subject.endswith(" a")) == ("Dr. A", True)
    actions = [row["action"] for row in come("a", groups=["it"]).get("/v1/audit").json()]
    assert actions[:4] == ["user.created", "user.signed-in", "user.changed", "user.signed-in"]


def test_who_is_in_no_group_or_was_shut_out_stays_out(signing_in):
    department, come = signing_in
    admin = browser_of(department, name="Root")
    for claims in ({"name": "Dr. B"}, {"name": "Dr. B", "groups": ["golf"]}):
        browser = come("b", **claims)
        assert browser.returned.headers["location"] == "/#oidc=refused"
        assert browser.get("/v1/session").json()["name"] is None
    assert come("b", name="Dr. B", groups="pathologists").get("/v1/session").json()["name"] == "Dr. B"
    admin.patch("/v1/users/Dr. B", json={"disabled": True})
    assert come("b", groups="pathologists").returned.headers["location"] == "/#oidc=refused"


def test_a_name_that_is_taken_is_not_taken_over(signing_in):
    department, come = signing_in
    browser_of(department, name="Dr. A")
    browser = come("evil", name="Dr. A", groups=["pathologists"])
    assert browser.get("/v1/session").json()["name"] == "Dr. A 2"
    guess = TestClient(department_app(department), base_url="http://127.0.0.1:8080")
    assert guess.post("/v1/session", json={"name": "Dr. A 2", "password": PASSWORD}).status_code == 401


def test_a_sign_in_goes_on_only_in_the_browser_that_began_it_and_once(signing_in):
    department, come = signing_in
    first = come("a", groups=["it"])
    back = _back_from(first.get("/v1/oidc/start"), "a")
    other = TestClient(department_app(department), base_url="http://127.0.0.1:8080", follow_redirects=False)
    assert other.get(back).headers["location"] == "/#oidc=refused"
    assert first.get(back).headers["location"] == "/"
    assert first.get(back).headers["location"] == "/#oidc=refused"
    assert first.get("/v1/oidc/back").headers["location"] == "/#oidc=refused"


def test_a_person_goes_to_the_provider_and_comes_back_by_the_page(signing_in, provider, browser):
    expect = pytest.importorskip("playwright.sync_api").expect
    department, _ = signing_in
    person = {"name": "Dr. W", "groups": ["pathologists"]}
    requests.put(f"{provider}/users/w", json=person, timeout=60).raise_for_status()
    requests.put(f"{provider}/users/x", json={"name": "X"}, timeout=60).raise_for_status()
    with served(department) as address, browser.new_context() as context:
        page = context.new_page()
        for subject in ("x", "w"):
            page.goto(address)
            page.get_by_role("link", name="Sign in by single sign-on").click()
            page.wait_for_url(f"{provider}/**")
            page.locator("input[name=sub]").fill(subject)
            page.locator("button:not([name=action][value=deny]), input[type=submit]").first.click()
            page.wait_for_url(f"{address}/**")
            if subject == "x":
                expect(page.locator(".gate .wrong")).to_contain_text("No way in by single sign-on")
        expect(page.locator("#who")).to_have_text("Dr. W, reader")  # across sites, with a Strict cookie
        page.reload()
        expect(page.locator("#who")).to_have_text("Dr. W, reader")


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.fixture(scope="module")
def signed():
    """Makes identity tokens, by the provider's key or by others."""
    from joserfc import jwt
    from joserfc.jwk import RSAKey

    keys = {"its": RSAKey.generate_key(2048, {"kid": "1"}), "other": RSAKey.generate_key(2048, {"kid": "1"})}

    def make(key: str = "its", **claims) -> str:
        now = int(time.time())
        told = {"iss": "https://idp.example", "aud": "lowpower", "sub": "a", "exp": now + 60, "iat": now}
        if key in ("none", "HS256"):  # by hand, for no library makes these any more
            parts = ({"alg": key, "kid": "1"}, told | claims)
            body = b".".join(_base64(json.dumps(part).encode()) for part in parts)
            by = hmac.digest(keys["its"].as_pem(private=False), body, "sha256") if key == "HS256" else b""
            return (body + b"." + _base64(by)).decode()
        return jwt.encode({"alg": "RS256", "kid": "1"}, told | claims, keys[key])

    return make, {"keys": [keys["its"].as_dict(private=False)]}


@pytest.mark.parametrize(
    ("key", "claims", "believed"),
    [
        ("its", {"nonce": "n"}, True),
        ("its", {"nonce": "n", "aud": ["lowpower", "more"], "azp": "lowpower"}, True),
        ("its", {"nonce": "n", "aud": ["lowpower", "more"], "azp": "more"}, False),
        ("its", {"nonce": "another"}, False),
        ("its", {}, False),
        ("its", {"nonce": "n", "aud": "another"}, False),
        ("its", {"nonce": "n", "iss": "https://idp.evil"}, False),
        ("its", {"nonce": "n", "exp": 1}, False),
        ("other", {"nonce": "n"}, False),
        ("HS256", {"nonce": "n"}, False),
        ("none", {"nonce": "n"}, False),
    ],
)
def test_what_of_a_token_is_believed(tmp_path, monkeypatch, signed, key, claims, believed):
    make, keys = signed
    settings = read_settings(
        None, {}, data=tmp_path, oidc_issuer="https://idp.example", oidc_roles="*=reader"
    )
    oidc = Oidc(settings)
    monkeypatch.setattr(oidc, "_provider", lambda **_: ({"issuer": "https://idp.example"}, keys))
    if believed:
        assert oidc._claims(make(key, **claims), "n")["sub"] == "a"
    else:
        with pytest.raises(OidcError, match="does not hold"):
            oidc._claims(make(key, **claims), "n")


def test_a_provider_that_is_gone_is_said(open_with):
    department = open_with(oidc_issuer="http://127.0.0.1:1", oidc_roles="*=reader")
    told = TestClient(department_app(department)).get("/v1/oidc/start")
    assert (told.status_code, "cannot be reached" in told.json()["detail"]) == (502, True)


def test_without_a_provider_there_is_no_such_way(department):
    client = TestClient(department_app(department))
    assert client.get("/v1/oidc/start").status_code == 404
    assert client.get("/v1/session").json()["provider"] is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"oidc_issuer": "http://idp.example", "oidc_roles": "*=reader"}, "must be https"),
        ({"oidc_issuer": "https://idp.example"}, "name who comes in"),
        ({"oidc_issuer": "https://idp.example", "oidc_roles": "it=king"}, "write GROUP=ROLE"),
        ({"oidc_issuer": "https://idp.example", "oidc_roles": "it=service"}, "name who comes in"),
    ],
)
def test_settings_that_would_let_the_wrong_in_are_refused(tmp_path, told, said):
    with pytest.raises(ConfigError, match=said):
        read_settings(None, {}, data=tmp_path, **told)
