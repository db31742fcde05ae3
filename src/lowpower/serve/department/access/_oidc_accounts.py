"""Accounts of people whom a provider vouches for: made at their first sign-in, their role by their groups."""

from __future__ import annotations

import itertools
import re
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from lowpower.serve.department.access._accounts import Accounts, SignedIn
from lowpower.serve.department.access._oidc import Identity, OidcError
from lowpower.serve.department.records import Database, User, moment, note

__all__ = ["sign_in_by_provider"]


def sign_in_by_provider(database: Database, accounts: Accounts, identity: Identity) -> SignedIn:
    """Sign somebody in; their account is known by the provider's number of them, never by a name.

    Raises:
        OidcError: none of their groups has a role here, or an admin shut them out.
    """
    refused = None
    with database.write() as session:
        user = session.scalar(select(User).where(User.subject == identity.subject))
        if identity.role is None or (user is not None and user.disabled is not None):
            note(session, "nobody", "user.refused", "" if user is None else user.name, by="provider")
            refused = "None of your groups has a role here; ask who runs lowpower."
        else:
            if user is None:
                user = _new(session, accounts, identity)
            elif user.role != identity.role:
                user.role = identity.role
                note(session, user.name, "user.changed", user.name, role=user.role, by="provider")
            return accounts.begin_session(session, user)
    raise OidcError(refused)


def _new(session: Session, accounts: Accounts, identity: Identity) -> User:
    taken = set(session.scalars(select(User.name)))
    told = re.sub(r"[^\w .'@-]+", " ", identity.name).strip(" .'@-")[:80] or "somebody"
    names = itertools.chain([told], (f"{told} {number}" for number in itertools.count(2)))
    user = User(
        id=secrets.token_hex(8),
        name=next(name for name in names if name not in taken),
        role=identity.role,
        password=accounts.nobodys_password(),
        created=moment(),
        subject=identity.subject,
    )
    session.add(user)
    session.flush()
    note(session, user.name, "user.created", user.name, role=user.role, by="provider")
    return user
