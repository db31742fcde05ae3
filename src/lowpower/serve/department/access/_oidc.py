"""Signing in at an OpenID Connect provider: authorization code with PKCE, the identity token verified."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import requests

from lowpower.errors import ConfigError, LowpowerError
from lowpower.serve.department._roles import Role
from lowpower.serve.department._settings import Settings

__all__ = ["Begun", "Identity", "Oidc", "OidcError"]

_TIMEOUT_S: Final = 10.0
_KEPT_S: Final = 3600.0
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that only the provider has; a shared secret or none would let others sign."""
_LEEWAY_S: Final = 60


class OidcError(LowpowerError):
    """The provider cannot be reached, says no, or what it says does not hold."""

    code = "oidc"


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way.

    Attributes:
        address: Where the browser goes.
        kept: What the browser keeps until it comes back, and shows to nobody else.
    """

    address: str
    kept: str


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for.

    Attributes:
        subject: Provider and its own number of the person: what an account is known by.
        name: As the provider names them; may be anything.
        role: By their groups; None where none of these lets them in.
    """

    subject: str
    name: str
    role: Role | None


class Oidc:
    """One provider.

    Raises:
        ConfigError: none is set, or Authlib is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.oidc_issuer is None:
            raise ConfigError("No provider is set; the setting oidc_issuer names one.")
        try:
            import authlib  # noqa: F401
        except ImportError as error:
            raise ConfigError("Signing in by OIDC needs Authlib: pip install 'lowpower[serve]'.") from error
        self._settings = settings
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._known: tuple[float, dict[str, Any], Any] | None = None
        self._lock = threading.Lock()

    def begin(self, back: str) -> Begun:
        """Send somebody to the provider.

        Args:
            back: Where the provider sends them afterwards.

        Raises:
            OidcError: it cannot be reached.
        """
        told, _ = self._provider()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        address, state = self._session(back).create_authorization_url(
            told["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        return Begun(address, " ".join((state, nonce, verifier)))

    def finish(self, back: str, kept: str, code: str, state: str) -> Identity:
        """Who came back.

        Args:
            back: As `begin` was told.
            kept: As `begin` gave it to this browser.
            code: What the provider sent along.
            state: Likewise.

        Raises:
            OidcError: it is another browser's sign-in, or the provider's word does not hold.
        """
        known_state, nonce, verifier = [*kept.split(" "), "", "", ""][:3]
        if not known_state or not secrets.compare_digest(known_state.encode(), state.encode()):
            raise OidcError("This sign-in was not begun in this browser, or too long ago; begin again.")
        token = self._token(back, code, verifier)
        claims = self._claims(str(token.get("id_token", "")), nonce)
        if self._settings.oidc_claim not in claims:
            claims = {**self._more(str(token.get("access_token", "")), claims["sub"]), **claims}
        named = (claims.get(one) for one in ("name", "preferred_username", "email"))
        name = next((str(one) for one in named if one), "somebody")
        return Identity(f"{self._issuer} {claims['sub']}", name, self._role(claims))

    def _session(self, back: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            self._settings.oidc_client,
            self._settings.oidc_secret,
            scope="openid profile email",
            redirect_uri=back,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._settings.oidc_secret else "none",
        )

    def _token(self, back: str, code: str, verifier: str) -> dict[str, Any]:
        from authlib.common.errors import AuthlibBaseError

        told, _ = self._provider()
        try:
            return dict(
                self._session(back).fetch_token(
                    told["token_endpoint"], code=code, code_verifier=verifier, timeout=_TIMEOUT_S
                )
            )
        except (requests.RequestException, ValueError) as error:
            raise OidcError("The provider cannot be reached; try again.") from error
        except AuthlibBaseError as error:
            raise OidcError("The provider did not take this sign-in; begin again.") from error

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """The identity token's, once signature, provider, audience, time and nonce are right."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        _, keys = self._provider()
        try:
            try:
                told = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError):  # its keys may be new
                _, keys = self._provider(anew=True)
                told = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS))
            client = self._settings.oidc_client
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self._issuer_named},
                aud={"essential": True, "value": client},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(told.claims)
            CodeIDToken(told.claims, told.header, params={"client_id": client}).validate_azp()
        except Exception as error:  # whatever is wrong with it: it is not believed
            raise OidcError("The provider's word about you does not hold; begin again.") from error
        return dict(told.claims)

    @property
    def _issuer_named(self) -> str:
        """As the provider itself writes it, with or without a slash at its end."""
        return str(self._provider()[0]["issuer"])

    def _more(self, token: str, subject: object) -> dict[str, Any]:
        """What the provider says elsewhere than in the identity token."""
        told, _ = self._provider()
        if "userinfo_endpoint" not in told:
            return {}
        more = _json(told["userinfo_endpoint"], {"Authorization": f"Bearer {token}"})
        return more if more.get("sub") == subject else {}

    def _role(self, claims: dict[str, Any]) -> Role | None:
        given = claims.get(self._settings.oidc_claim, ())
        groups = {given} if isinstance(given, str) else {str(one) for one in given or ()}
        roles = self._settings.oidc_role_of
        allowed = {role for group, role in roles.items() if group in groups or group == "*"}
        return next((role for role in (Role.ADMIN, Role.OPERATOR, Role.READER) if role in allowed), None)

    def _provider(self, *, anew: bool = False) -> tuple[dict[str, Any], Any]:
        """What the provider says of itself, and its public keys."""
        with self._lock:
            if self._known is None or anew or time.monotonic() > self._known[0] + _KEPT_S:
                told = _json(f"{self._issuer}/.well-known/openid-configuration")
                if str(told.get("issuer", "")).rstrip("/") != self._issuer:
                    raise OidcError(
                        "The provider calls itself another than oidc_issuer; correct the setting."
                    )
                self._known = (time.monotonic(), told, _json(str(told["jwks_uri"])))
            return self._known[1:]


def _json(address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        answer = requests.get(address, headers=headers, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise OidcError(
            "The provider cannot be reached; try again, or correct the setting oidc_issuer."
        ) from error
    if not isinstance(told, dict):
        raise OidcError("The provider does not answer as OpenID Connect has it; correct oidc_issuer.")
    return told
