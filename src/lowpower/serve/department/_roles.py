"""Who may do what: one row a route. A route without a row answers nobody."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["RIGHTS", "STUDIES", "Role", "may"]


class Role(StrEnum):
    """What somebody is here for."""

    ADMIN = "admin"
    OPERATOR = "operator"
    READER = "reader"
    SERVICE = "service"


ANYBODY: Final[frozenset[Role] | None] = None
_ALL: Final = frozenset(Role)
_PEOPLE: Final = _ALL - {Role.SERVICE}
_ADMIN: Final = frozenset({Role.ADMIN})
_READS: Final = frozenset({Role.ADMIN, Role.READER})
_WORKS: Final = frozenset({Role.ADMIN, Role.OPERATOR, Role.SERVICE})
_RESCORES: Final = _ALL

STUDIES: Final = _WORKS
"""Who may ask for a study, cancel one, try one again, and take its report."""

_SLIDE: Final = "/v1/slides/{key}"

RIGHTS: Final[dict[tuple[str, str], frozenset[Role] | None]] = {
    ("GET", "/v1/health"): ANYBODY,
    ("GET", "/v1/session"): ANYBODY,
    ("POST", "/v1/session"): ANYBODY,
    ("DELETE", "/v1/session"): _PEOPLE,
    ("GET", "/v1/oidc/start"): ANYBODY,
    ("GET", "/v1/oidc/back"): ANYBODY,
    ("GET", "/v1/links/{secret}"): ANYBODY,
    ("POST", "/v1/links/{secret}"): ANYBODY,
    ("POST", "/v1/links"): _ADMIN,
    ("GET", "/v1/users"): _ADMIN,
    ("PATCH", "/v1/users/{name}"): _ADMIN,
    ("GET", "/v1/tokens"): _ADMIN,
    ("POST", "/v1/tokens"): _ADMIN,
    ("DELETE", "/v1/tokens/{token_id}"): _ADMIN,
    ("GET", "/v1/worklist"): _ALL,
    ("GET", "/v1/roots"): _WORKS,
    ("POST", "/v1/slides"): _WORKS,
    ("DELETE", _SLIDE): _ADMIN,
    ("GET", _SLIDE): _ALL,
    ("GET", _SLIDE + "/tiles/{level}/{column}_{row}.jpg"): _ALL,
    ("GET", _SLIDE + "/cells"): _ALL,
    ("GET", _SLIDE + "/cells/{number}"): _ALL,
    ("GET", _SLIDE + "/shapes/{name}"): _ALL,
    ("GET", _SLIDE + "/pictures/{name}"): _ALL,
    ("GET", _SLIDE + "/regions"): _ALL,
    ("PUT", _SLIDE + "/regions"): _READS,
    ("POST", _SLIDE + "/reviews"): _READS,
    ("GET", _SLIDE + "/results"): _ALL,
    ("GET", _SLIDE + "/reports/{form}"): _ALL,
    ("POST", "/v1/uploads"): _WORKS,
    ("GET", "/v1/uploads/{upload_id}"): _WORKS,
    ("PATCH", "/v1/uploads/{upload_id}"): _WORKS,
    ("POST", "/v1/uploads/{upload_id}/complete"): _WORKS,
    ("DELETE", "/v1/uploads/{upload_id}"): _WORKS,
    ("GET", "/v1/pacs/series"): _WORKS,
    ("POST", "/v1/pacs/fetch"): _WORKS,
    ("POST", _SLIDE + "/send"): _ALL,
    ("GET", "/v1/jobs"): _ALL,
    ("POST", "/v1/jobs"): _RESCORES,
    ("GET", "/v1/jobs/{job_id}"): _ALL,
    ("POST", "/v1/jobs/{job_id}/cancel"): _RESCORES,
    ("POST", "/v1/jobs/{job_id}/retry"): _RESCORES,
    ("GET", "/v1/jobs/{job_id}/files/{name}"): STUDIES,
    ("GET", "/v1/events"): _ALL,
    ("GET", "/v1/results/{result_id}"): _ALL,
    ("GET", "/v1/cases/{case}"): _ALL,
    ("GET", "/v1/agreement"): _PEOPLE,
    ("GET", "/v1/drift"): _PEOPLE,
    ("GET", "/v1/models"): _ALL,
    ("GET", "/v1/models/{name}/card"): _ALL,
    ("GET", "/v1/audit"): _ADMIN,
    ("GET", "/v1/metrics"): frozenset({Role.ADMIN, Role.SERVICE}),
    ("GET", "/v1/openapi.json"): _ALL,
}
"""None: anybody, signed in or not."""


def may(role: Role | None, method: str, route: str) -> bool:
    """Whether a role may use a route; where the route has no row, nobody may."""
    allowed = RIGHTS.get((method, route), frozenset())
    return allowed is None or role in allowed
