"""Who comes in: accounts, sessions and tokens of the department, and sign-in at a provider."""

from lowpower.serve.department.access._accounts import (
    Accounts,
    LockedOutError,
    SignedIn,
    Who,
    WrongSecretError,
)
from lowpower.serve.department.access._oidc import Oidc, OidcError
from lowpower.serve.department.access._oidc_accounts import sign_in_by_provider

__all__ = [
    "Accounts",
    "LockedOutError",
    "Oidc",
    "OidcError",
    "SignedIn",
    "Who",
    "WrongSecretError",
    "sign_in_by_provider",
]
