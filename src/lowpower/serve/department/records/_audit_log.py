"""The audit log: rows are only added, each sealed by the hash of the one before."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lowpower.serve.department.records._database import Database
from lowpower.serve.department.records._schema import Audit, AuditHead, moment

__all__ = ["AuditVerdict", "note", "verify_audit"]

START: Final = "0" * 64


@dataclass(frozen=True)
class AuditVerdict:
    """Whether the log is whole.

    Attributes:
        rows: Rows that hold together, from the first.
        problem: What is wrong with the next one, in a sentence; None if nothing is.
        head: Hash of the last row: written down elsewhere, it shows later whether the log was made anew.
    """

    rows: int
    problem: str | None
    head: str


def note(session: Session, actor: str, action: str, subject: str = "", **detail: Any) -> None:
    """Add a row, in the transaction of what it tells of: both happen or neither.

    Args:
        session: A transaction that writes.
        actor: Who: a user, a token or a worker.
        action: What: `slide.added`, `review.given`, ...
        subject: Of what: the slide's, job's or user's name. Never a patient's.
        **detail: More, as JSON takes it.
    """
    # The head's row is locked by this from now until the transaction ends, so numbers have no gaps.
    number, before = session.execute(
        update(AuditHead)
        .where(AuditHead.id == 1)
        .values(number=AuditHead.number + 1)
        .returning(AuditHead.number, AuditHead.hash)
    ).one()
    row = Audit(
        number=number,
        time=moment(),
        actor=actor[:120],
        action=action,
        subject=subject[:120],
        detail=json.dumps(detail, sort_keys=True, ensure_ascii=False),
        before=before,
        hash="",
    )
    row.hash = _hash(row)
    session.add(row)
    session.execute(update(AuditHead).where(AuditHead.id == 1).values(hash=row.hash))
    session.flush()


def verify_audit(database: Database) -> AuditVerdict:
    """Walk the chain from its first row."""
    before, rows = START, 0
    walk = select(Audit).order_by(Audit.number).execution_options(yield_per=1000)
    with database.snapshot() as session, contextlib.closing(session.scalars(walk)) as chain:
        head = session.get_one(AuditHead, 1)
        for row in chain:
            if row.number != rows + 1:
                return AuditVerdict(rows, f"row {rows + 1} is missing", before)
            if row.before != before:
                return AuditVerdict(rows, f"row {row.number} does not follow the one before it", before)
            if row.hash != _hash(row):
                return AuditVerdict(rows, f"row {row.number} was changed", before)
            before, rows = row.hash, row.number
        if (head.number, head.hash) != (rows, before):
            return AuditVerdict(rows, f"the last {head.number - rows} rows are missing", before)
    return AuditVerdict(rows, None, before)


def _hash(row: Audit) -> str:
    sealed = [row.before, row.number, row.time, row.actor, row.action, row.subject, row.detail]
    return hashlib.sha256(json.dumps(sealed, ensure_ascii=False).encode()).hexdigest()
