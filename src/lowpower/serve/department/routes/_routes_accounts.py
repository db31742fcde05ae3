"""Routes of signing in, links, users and tokens."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import Field

from lowpower.scoring import NOTICE, Record
from lowpower.serve.department._roles import Role
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.access import Accounts, LockedOutError, SignedIn, Who, WrongSecretError
from lowpower.serve.department.routes._gate import Gate

__all__ = ["accounts_api"]

_OFFERS: Final = {"roots": "roots", "dicomweb": "dicomweb", "fhir": "fhir", "studies": "study_roots"}
"""What the page has buttons for, by the setting that opens it."""


class SessionTold(Record):
    """Who is signed in, if anybody is."""

    service: str
    notice: str = NOTICE
    name: str | None = None
    role: Role | None = None
    csrf: str | None = None
    """What requests that change something carry in X-CSRF-Token."""
    provider: str | None = None
    """What the page calls the provider that people may sign in at; none where there is none."""
    offers: tuple[str, ...] = ()
    """Where slides may come from and reports go to: roots, dicomweb, fhir; studies, where they are run."""


class Credentials(Record):
    """A name and a password."""

    name: str = Field(max_length=100)
    password: str = Field(max_length=500)


class LinkAsked(Record):
    """For whom a link is made."""

    role: Role = Role.READER
    user: str | None = Field(
        None, max_length=100, description="Whose password it renews; a new account if none."
    )


class LinkTold(Record):
    """A link that can be used once."""

    address: str


class LinkRead(Record):
    """What a link is for."""

    role: Role
    user: str | None


class UserTold(Record):
    """A user."""

    name: str
    role: Role
    created: str
    disabled: bool
    locked_until: str | None


class UserChanged(Record):
    """What changes of a user."""

    role: Role | None = None
    disabled: bool | None = None


class TokenAsked(Record):
    """A key for a program."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[\w .-]+$")
    role: Role = Role.SERVICE
    days: int | None = Field(365, ge=1, le=3650)


class TokenTold(Record):
    """A token; its secret only when it is made."""

    id: str
    name: str
    role: Role
    created: str
    created_by: str
    expires: str | None
    revoked: str | None
    secret: str | None = None


def accounts_api(accounts: Accounts, gate: Gate, settings: Settings) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1")

    def told(who: Who | None) -> SessionTold:
        provider = None if settings.oidc_issuer is None else settings.oidc_name
        if who is None:
            return SessionTold(service=settings.name, provider=provider)
        return SessionTold(
            service=settings.name, name=who.name, role=who.role, csrf=who.csrf, provider=provider,
            offers=tuple(name for name, setting in _OFFERS.items() if getattr(settings, setting)),
        )  # fmt: skip

    def came_in(signed_in: SignedIn, response: Response) -> SessionTold:
        gate.give_cookie(response, signed_in)
        return told(signed_in.who)

    @router.get("/session")
    def session(request: Request) -> SessionTold:
        return told(request.state.who)

    @router.post("/session")
    def sign_in(request: Request, response: Response, given: Credentials) -> SessionTold:
        gate.guess(request)
        try:
            return came_in(accounts.sign_in(given.name, given.password), response)
        except WrongSecretError as error:
            raise HTTPException(401, str(error)) from error
        except LockedOutError as error:
            raise HTTPException(429, str(error)) from error

    @router.delete("/session", status_code=204)
    def sign_out(request: Request, response: Response) -> None:
        gate.end(request, response)

    @router.get("/links/{secret}")
    def read_link(request: Request, secret: str) -> LinkRead:
        gate.guess(request)
        try:
            role, user = accounts.link_role(secret)
        except WrongSecretError as error:
            raise HTTPException(404, str(error)) from error
        return LinkRead(role=role, user=user)

    @router.post("/links/{secret}", status_code=201)
    def use_link(request: Request, response: Response, secret: str, given: Credentials) -> SessionTold:
        gate.guess(request)
        try:
            return came_in(accounts.use_link(secret, given.name, given.password), response)
        except WrongSecretError as error:
            raise HTTPException(404, str(error)) from error

    @router.post("/links", status_code=201)
    def make_link(request: Request, given: LinkAsked) -> LinkTold:
        secret = accounts.link(request.state.who, given.role, given.user)
        home = settings.address or str(request.base_url).rstrip("/")
        return LinkTold(address=f"{home}/#link={secret}")

    @router.get("/users")
    def users() -> list[UserTold]:
        return [
            UserTold(
                name=user.name,
                role=Role(user.role),
                created=user.created,
                disabled=user.disabled is not None,
                locked_until=user.locked_until,
            )
            for user in accounts.users()
        ]

    @router.patch("/users/{name}", status_code=204)
    def change_user(request: Request, name: str, given: UserChanged) -> None:
        accounts.change(request.state.who, name, role=given.role, disabled=given.disabled)

    @router.get("/tokens")
    def tokens() -> list[TokenTold]:
        names = ("id", "name", "role", "created", "created_by", "expires", "revoked")
        return [
            TokenTold.model_validate({name: getattr(token, name) for name in names})
            for token in accounts.tokens()
        ]

    @router.post("/tokens", status_code=201)
    def make_token(request: Request, given: TokenAsked) -> TokenTold:
        token_id, secret = accounts.new_token(request.state.who, given.name, given.role, given.days)
        made = next(token for token in tokens() if token.id == token_id)
        return made.model_copy(update={"secret": secret})

    @router.delete("/tokens/{token_id}", status_code=204)
    def revoke(request: Request, token_id: str) -> None:
        if not accounts.revoke(request.state.who, token_id):
            raise HTTPException(404, "There is no such token that is still good.")

    return router
