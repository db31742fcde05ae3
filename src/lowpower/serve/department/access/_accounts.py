"""People and programs: one-time links, passwords, browser sessions, tokens. Secrets are kept as hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

import argon2
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lowpower.errors import ConfigError
from lowpower.serve.department._roles import Role
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.records import BrowserSession, Database, Link, Token, User, moment, note

__all__ = ["Accounts", "LockedOutError", "SignedIn", "Who", "WrongSecretError"]

_TOKEN_START: Final = "lp_"
_NAME: Final = re.compile(r"[\w][\w .'@-]{0,98}[\w.]|\w", re.UNICODE)
_SHORTEST: Final = 12
_FAILURES: Final = 5
_LOCK_S: Final = (60, 300, 900, 3600)
_HASHER: Final = argon2.PasswordHasher()
_NOBODYS: Final = _HASHER.hash(secrets.token_hex(16))
"""Held against where there is no such user, so that the time taken does not tell."""


@dataclass(frozen=True)
class Who:
    """Who asks.

    Attributes:
        name: As the audit log and reviews name them.
        role: What they may.
        csrf: What a browser's request that changes something must carry; None for programs.
    """

    name: str
    role: Role
    csrf: str | None = None


@dataclass(frozen=True)
class SignedIn:
    """A new browser session: its secret goes into the cookie and is kept nowhere."""

    secret: str
    who: Who


class WrongSecretError(Exception):
    """A name, password, link or token that is not right. The sentence does not say which."""


class LockedOutError(Exception):
    """Too many wrong passwords; says for how long."""


class Accounts:
    """Who may come in."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings

    def first_link(self) -> str | None:
        """The secret of a link for the first admin; None where there is one. Older such links end."""
        with self._database.write() as session:
            active = (
                select(func.count()).select_from(User).where(User.role == Role.ADMIN, User.disabled.is_(None))
            )
            if session.scalar(active):
                return None
            session.execute(delete(Link).where(Link.created_by == "first start", Link.used.is_(None)))
            return self._link(session, "first start", Role.ADMIN, None)

    def link(self, by: Who, role: Role, name: str | None = None) -> str:
        """The secret of a link by which somebody makes an account, or the user `name` a new password.

        Raises:
            ConfigError: there is no such user.
        """
        with self._database.write() as session:
            user = None if name is None else self._user(session, name)
            return self._link(session, by.name, role if user is None else Role(user.role), user)

    def link_role(self, secret: str) -> tuple[Role, str | None]:
        """What a link makes, and whose password it renews.

        Raises:
            WrongSecretError: it was used, is too old, or never was.
        """
        with self._database.read() as session:
            link = self._open_link(session, secret)
            user = None if link.user_id is None else session.get(User, link.user_id)
            return Role(link.role), None if user is None else user.name

    def use_link(self, secret: str, name: str, password: str) -> SignedIn:
        """Make the account, or the new password, and sign in.

        Raises:
            WrongSecretError: the link cannot be used.
            ConfigError: the name is taken or odd, or the password too short.
        """
        if len(password) < _SHORTEST or len(password) > 500:
            raise ConfigError(
                f"A password has at least {_SHORTEST} characters; a sentence is easy to keep in mind."
            )
        hashed = _HASHER.hash(password)
        try:
            with self._database.write() as session:
                link = self._open_link(session, secret)
                link.used = moment()
                if link.user_id is not None:
                    user = session.get_one(User, link.user_id)
                    user.password, user.failures, user.locked_until = hashed, 0, None
                    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))
                    note(session, user.name, "user.password", user.name)
                else:
                    name = name.strip()
                    if not _NAME.fullmatch(name):
                        raise ConfigError("A name has up to 100 letters, digits, spaces and . ' @ - _.")
                    user = User(
                        id=secrets.token_hex(8), name=name, role=link.role, password=hashed, created=moment()
                    )
                    session.add(user)
                    session.flush()
                    note(session, user.name, "user.created", user.name, role=user.role, by=link.created_by)
                return self._sign_in(session, user)
        except IntegrityError as error:
            raise ConfigError(f"The name {name} is taken; choose another.") from error

    def sign_in(self, name: str, password: str) -> SignedIn:
        """Sign in by name and password.

        Raises:
            WrongSecretError: they do not fit.
            LockedOutError: too many did not.
        """
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.name == name.strip()))
        if user is not None and user.locked_until is not None and user.locked_until > moment():
            raise LockedOutError(f"Too many wrong passwords: this name is locked until {user.locked_until}.")
        known = _fits(_NOBODYS if user is None else user.password, password)
        with self._database.write() as session:
            if user is None or user.disabled is not None or not known:
                self._failed(session, None if user is None else session.get(User, user.id), name)
                right = None
            else:
                user = session.get_one(User, user.id)
                user.failures, user.locked_until = 0, None
                if _HASHER.check_needs_rehash(user.password):
                    user.password = _HASHER.hash(password)
                right = self._sign_in(session, user)
        if right is None:
            raise WrongSecretError("Name or password is not right.")
        return right

    def begin_session(self, session: Session, user: User) -> SignedIn:
        """Let somebody in whose identity was shown otherwise, in the transaction that looked."""
        return self._sign_in(session, user)

    @staticmethod
    def nobodys_password() -> str:
        """For an account without one: the hash of what nobody knows."""
        return _HASHER.hash(secrets.token_hex(32))

    def sign_out(self, secret: str) -> None:
        """End a browser's session."""
        with self._database.write() as session:
            session.execute(delete(BrowserSession).where(BrowserSession.digest == _digest(secret)))

    def by_session(self, secret: str) -> Who | None:
        """Whose browser session it is; None where it ended."""
        with self._database.read() as session:
            found = session.execute(
                select(User, BrowserSession)
                .join(BrowserSession, BrowserSession.user_id == User.id)
                .where(BrowserSession.digest == _digest(secret), BrowserSession.expires > moment())
            ).one_or_none()
            if found is None or found[0].disabled is not None:
                return None
            return Who(found[0].name, Role(found[0].role), found[1].csrf)

    def by_token(self, secret: str) -> Who | None:
        """Which program's token it is; None where it was revoked, is too old or never was."""
        with self._database.read() as session:
            token = session.scalar(select(Token).where(Token.digest == _digest(secret)))
            if token is None or token.revoked is not None or (token.expires and token.expires < moment()):
                return None
            return Who(f"token {token.name}", Role(token.role))

    def new_token(self, by: Who, name: str, role: Role, days: int | None) -> tuple[str, str]:
        """A token's number and secret; the secret is shown this once."""
        secret = _TOKEN_START + secrets.token_urlsafe(32)
        with self._database.write() as session:
            token = Token(
                id=secrets.token_hex(8),
                digest=_digest(secret),
                name=name,
                role=role,
                created_by=by.name,
                created=moment(),
                expires=None if days is None else moment(days * 86400),
            )
            session.add(token)
            note(session, by.name, "token.created", name, role=role, id=token.id)
            return token.id, secret

    def revoke(self, by: Who, token_id: str) -> bool:
        """End a token; whether there was one."""
        with self._database.write() as session:
            token = session.get(Token, token_id)
            if token is None or token.revoked is not None:
                return False
            token.revoked = moment()
            note(session, by.name, "token.revoked", token.name, id=token.id)
            return True

    def change(self, by: Who, name: str, *, role: Role | None = None, disabled: bool | None = None) -> None:
        """Give a user another role, or let them in no longer, or again.

        Raises:
            ConfigError: there is no such user, or no admin would be left.
        """
        with self._database.write() as session:
            user = self._user(session, name)
            if role is not None:
                user.role = role
            if disabled is not None:
                user.disabled = moment() if disabled else None
            if disabled or role is not None:
                session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))
            session.flush()
            admins = (
                select(func.count()).select_from(User).where(User.role == Role.ADMIN, User.disabled.is_(None))
            )
            if not session.scalar(admins):
                raise ConfigError("One admin must be left who can come in.")
            note(session, by.name, "user.changed", name, role=user.role, disabled=user.disabled is not None)

    def users(self) -> list[User]:
        """Everybody."""
        with self._database.read() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def tokens(self) -> list[Token]:
        """Every token, the secrets not among them."""
        with self._database.read() as session:
            return list(session.scalars(select(Token).order_by(Token.created)))

    def _link(self, session: Session, by: str, role: Role, user: User | None) -> str:
        secret = secrets.token_urlsafe(24)
        session.add(
            Link(
                digest=_digest(secret),
                role=role,
                user_id=None if user is None else user.id,
                created_by=by,
                created=moment(),
                expires=moment(self._settings.link_hours * 3600),
            )
        )
        note(session, by, "link.created", "" if user is None else user.name, role=role)
        return secret

    def _open_link(self, session: Session, secret: str) -> Link:
        link = session.get(Link, _digest(secret))
        if link is None or link.used is not None or link.expires < moment():
            raise WrongSecretError("This link was used already or is too old; ask for a new one.")
        return link

    def _sign_in(self, session: Session, user: User) -> SignedIn:
        secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        session.execute(delete(BrowserSession).where(BrowserSession.expires < moment()))
        session.add(
            BrowserSession(
                digest=_digest(secret),
                user_id=user.id,
                csrf=csrf,
                created=moment(),
                expires=moment(self._settings.session_hours * 3600),
            )
        )
        note(session, user.name, "user.signed-in", user.name)
        return SignedIn(secret, Who(user.name, Role(user.role), csrf))

    def _failed(self, session: Session, user: User | None, name: str) -> None:
        if user is None:
            note(session, "nobody", "user.refused", "")  # what was typed may be a password
            return
        user.failures += 1
        over = user.failures - _FAILURES
        if over >= 0:
            user.locked_until = moment(_LOCK_S[min(over, len(_LOCK_S) - 1)])
        note(session, "nobody", "user.refused", user.name, failures=user.failures)

    @staticmethod
    def _user(session: Session, name: str) -> User:
        user = session.scalar(select(User).where(User.name == name))
        if user is None:
            raise ConfigError(f"There is no user {name}.")
        return user


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except argon2.exceptions.VerificationError:
        return False


def _digest(secret: str) -> str:
    """Secrets are random and long, so a plain hash keeps them."""
    return hashlib.sha256(secret.encode()).hexdigest()
