"""What the service keeps: the tables, their database, and the audit log over all of it."""

from lowpower.serve.department.records import _schema as schema
from lowpower.serve.department.records._audit_log import AuditVerdict, note, verify_audit
from lowpower.serve.department.records._database import Database
from lowpower.serve.department.records._schema import (
    RANKS,
    Audit,
    Base,
    BrowserSession,
    Job,
    Link,
    Regions,
    ScoredResult,
    Slide,
    Token,
    Upload,
    User,
    Worker,
    moment,
)
from lowpower.serve.department.records._search_index import found_slides, like_words

__all__ = [
    "RANKS",
    "Audit",
    "AuditVerdict",
    "Base",
    "BrowserSession",
    "Database",
    "Job",
    "Link",
    "Regions",
    "ScoredResult",
    "Slide",
    "Token",
    "Upload",
    "User",
    "Worker",
    "found_slides",
    "like_words",
    "moment",
    "note",
    "schema",
    "verify_audit",
]
