"""The tables. Moments are UTC in ISO 8601 with milliseconds, so that they sort as text on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "RANKS",
    "Audit",
    "AuditHead",
    "Base",
    "BrowserSession",
    "Job",
    "Link",
    "Regions",
    "Review",
    "ScoredResult",
    "Slide",
    "Token",
    "Upload",
    "User",
    "Worker",
    "moment",
]

RANKS: Final = {
    "referred": 0,
    "issued": 2,
    "measured": 3,
    "refused": 4,
    "failed": 5,
    "running": 6,
    "waiting": 7,
    "cancelled": 8,
    "unscored": 9,
}
"""Order of a slide's states in the worklist: what needs a reader comes first."""
_ID = String(32)
_MOMENT = String(24)


def moment(seconds_from_now: float = 0.0) -> str:
    """Now, or then, as it is stored."""
    told = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Base(DeclarativeBase):
    """All tables of the service; the queue's own tables are DBOS's."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class User(Base):
    """A person, by a name of their own choice."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password: Mapped[str] = mapped_column(String(200))
    """Argon2id, with its salt and costs."""
    created: Mapped[str] = mapped_column(_MOMENT)
    disabled: Mapped[str | None] = mapped_column(_MOMENT)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[str | None] = mapped_column(_MOMENT)
    subject: Mapped[str | None] = mapped_column(String(400), unique=True, index=True)
    """Provider and its number of the person, where a provider vouches for them."""


class Link(Base):
    """A one-time link by which somebody makes an account, or a new password."""

    __tablename__ = "links"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """Whose password it renews; a new account if none."""
    created_by: Mapped[str] = mapped_column(String(100))
    created: Mapped[str] = mapped_column(_MOMENT)
    expires: Mapped[str] = mapped_column(_MOMENT)
    used: Mapped[str | None] = mapped_column(_MOMENT)


class BrowserSession(Base):
    """A browser that is signed in."""

    __tablename__ = "sessions"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[str] = mapped_column(_MOMENT)
    expires: Mapped[str] = mapped_column(_MOMENT)


class Token(Base):
    """A key of a program."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    created_by: Mapped[str] = mapped_column(String(100))
    created: Mapped[str] = mapped_column(_MOMENT)
    expires: Mapped[str | None] = mapped_column(_MOMENT)
    revoked: Mapped[str | None] = mapped_column(_MOMENT)


class Upload(Base):
    """A slide that is coming in, piece by piece."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    by: Mapped[str] = mapped_column(String(100))
    ending: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    about: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What becomes of it: case and marker."""
    created: Mapped[str] = mapped_column(_MOMENT)
    slide_id: Mapped[str | None] = mapped_column(_ID)
    """Once it is complete."""


class Slide(Base):
    """A slide, and its row of the worklist as its latest result says it."""

    __tablename__ = "slides"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    """Its pseudonym, and its name in every address."""
    case: Mapped[str | None] = mapped_column("case_code", String(40), index=True)
    origin: Mapped[str] = mapped_column(String(20))
    """upload, registered or dicomweb."""
    source: Mapped[str] = mapped_column(Text)
    """Where a registered one lies; of others the name it came with is not kept."""
    path: Mapped[str] = mapped_column(Text)
    """Below the data folder."""
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    added_by: Mapped[str] = mapped_column(String(100))
    added: Mapped[str] = mapped_column(_MOMENT)
    removed: Mapped[str | None] = mapped_column(_MOMENT)
    marker: Mapped[str | None] = mapped_column(String(10))
    scanner: Mapped[str | None] = mapped_column(String(100))
    """Who made it and which it is, as the file says."""
    laboratory: Mapped[str | None] = mapped_column(String(100))
    """Which one stained it, as was said when it came in."""
    result_id: Mapped[str | None] = mapped_column(_ID)
    state: Mapped[str] = mapped_column(String(12), default="unscored")
    rank: Mapped[int] = mapped_column(Integer, default=9)
    """Order of the states in the worklist, as `RANKS` says."""
    score: Mapped[str] = mapped_column(String(20), default="")
    sureness: Mapped[float] = mapped_column(default=2.0)
    """Probability of the likeliest score; 2 where there is none."""
    reason: Mapped[str | None] = mapped_column(Text)
    row: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The worklist's row of the latest result."""
    words: Mapped[str] = mapped_column(Text, default="")
    """Pseudonyms and marker in small letters: what is searched."""
    answer_words: Mapped[str] = mapped_column(Text, default="")
    """The same and the reason: what is searched where the answer may be seen."""
    reading: Mapped[str] = mapped_column(String(12), default="none")
    """none, one, agreed, overruled, differ or settled."""
    __table_args__ = (
        Index("slides_by_added", "removed", "added", "id"),
        Index("slides_by_rank", "removed", "rank", "id"),
        Index("slides_by_sureness", "removed", "sureness", "id"),
        Index("slides_by_score", "removed", "score", "id"),
        Index("slides_by_state", "removed", "state", "id"),
        Index("slides_by_reading", "removed", "reading", "id"),
    )


class Job(Base):
    """Scoring, measuring or a study that somebody asked for."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    slide_id: Mapped[str | None] = mapped_column(ForeignKey("slides.id"), index=True)
    """None of a study."""
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(12), index=True)
    """waiting, running, done, failed or cancelled."""
    priority: Mapped[int] = mapped_column(Integer, default=100)
    by: Mapped[str] = mapped_column(String(100))
    created: Mapped[str] = mapped_column(_MOMENT, index=True)
    started: Mapped[str | None] = mapped_column(_MOMENT)
    ended: Mapped[str | None] = mapped_column(_MOMENT)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[str | None] = mapped_column(String(100))
    progress: Mapped[float | None] = mapped_column()
    reason: Mapped[str | None] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column("idempotency_key", String(200))
    folder: Mapped[str | None] = mapped_column(String(100))
    """Of a study that is done, below the results."""
    __table_args__ = (UniqueConstraint("by", "idempotency_key", name="jobs_once_a_key"),)


class ScoredResult(Base):
    """What a job found: exactly one a job, never changed."""

    __tablename__ = "results"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slides.id"), index=True)
    folder: Mapped[str] = mapped_column(String(100))
    record: Mapped[str] = mapped_column(Text)
    """result.json, byte for byte."""
    sha256: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(12))
    created: Mapped[str] = mapped_column(_MOMENT, index=True)
    written: Mapped[int] = mapped_column(BigInteger)
    """Nanoseconds since 1970."""


class Review(Base):
    """What a reader said: only added."""

    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slides.id"), index=True)
    result_id: Mapped[str] = mapped_column(ForeignKey("results.id"), index=True)
    reader: Mapped[str] = mapped_column(String(100), index=True)
    time: Mapped[str] = mapped_column(_MOMENT, index=True)
    settles: Mapped[bool] = mapped_column(default=False)
    """Whether it decides between readers who differ."""
    told: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The row of reviews.csv."""


class Regions(Base):
    """What a reader drew on a slide; the latest row counts."""

    __tablename__ = "regions"
    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slides.id"), index=True)
    by: Mapped[str] = mapped_column(String(100))
    time: Mapped[str] = mapped_column(_MOMENT)
    drawn: Mapped[dict[str, Any]] = mapped_column(JSON)


class Worker(Base):
    """A process that scores, as long as it says so."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(100))
    process: Mapped[int] = mapped_column(Integer)
    began: Mapped[float] = mapped_column()
    """When the process began, seconds since 1970: its number may be given again."""
    seen: Mapped[str] = mapped_column(_MOMENT)


class Audit(Base):
    """Who did what, each row sealed by the hash of the one before."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    time: Mapped[str] = mapped_column(_MOMENT)
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(120), index=True)
    detail: Mapped[str] = mapped_column(Text)
    """JSON with sorted keys: what the hash was made over."""
    before: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The last row's number and hash: a chain cut short at its end shows."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
