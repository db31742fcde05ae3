"""What makes the worklist's search quick: an index of every three letters, on either database."""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lowpower.serve.department.records._schema import Slide

__all__ = ["found_slides", "index_search", "like_words"]

_log = logging.getLogger("lowpower.serve")
_SHORTEST: Final = 3
"""Letters of a word that the index knows."""


def index_search(connection: Connection) -> None:
    """Make PostgreSQL's index where it is not there; SQLite's is part of its tables.

    It needs the extension pg_trgm, which a database's owner may create. Where that is refused the search
    reads every slide, and the log says how to cure that; the next start tries again.
    """
    if connection.dialect.name == "sqlite" or connection.scalar(
        text("SELECT to_regclass('slides_by_words')")
    ):
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            connection.execute(
                text(
                    "CREATE INDEX slides_by_words ON slides USING gin (answer_words gin_trgm_ops) "
                    "WITH (fastupdate = off)"
                )
            )
    except DBAPIError:
        _log.warning(
            "The search in the worklist is slow on this PostgreSQL, because the extension pg_trgm cannot be "
            "created here; let its administrator run CREATE EXTENSION pg_trgm in this database, and start "
            "lowpower again."
        )


def like_words(words: list[str], *, blind: bool) -> Any:
    """The condition that a slide has all of these words, in any part of what it is found by.

    Args:
        words: In small letters.
        blind: Whether what is found may say nothing of the answer.
    """
    searched = [Slide.answer_words, Slide.words] if blind else [Slide.answer_words]
    return and_(*(column.contains(word, autoescape=True) for word in words for column in searched))


def found_slides(session: Session, words: list[str], *, blind: bool, most: int) -> list[str] | None:
    """Pseudonyms of the slides on the worklist that have all of these words.

    Args:
        session: A transaction.
        words: In small letters.
        blind: Whether what is found may say nothing of the answer.
        most: Of more than these None is given: then hardly any slide is without them.
    """
    if session.get_bind().dialect.name == "sqlite":
        found = _sqlite(words, blind)
    else:
        found = select(Slide.id).where(Slide.removed.is_(None), like_words(words, blind=blind))
    keys = list(session.scalars(found.limit(most + 1)))
    return None if len(keys) > most else keys


def _sqlite(words: list[str], blind: bool) -> Select[Any]:
    """Long words by the index; short ones, and what is hidden, in the narrow table that it is over."""
    asked = " AND ".join('"' + word.replace('"', '""') + '"' for word in words if len(word) >= _SHORTEST)
    left = words if blind else [word for word in words if len(word) < _SHORTEST]
    column = literal_column("slide_words.words" if blind else "slide_words.answer_words", Slide.words.type)
    found: Select[Any] = select(literal_column("slide_words.slide_id")).select_from(text("slide_words"))
    if asked:
        found = select(literal_column("slide_words.slide_id")).select_from(
            text("slides_found JOIN slide_words ON slide_words.number = slides_found.rowid")
        )
        found = found.where(text("slides_found MATCH :asked").bindparams(asked=asked))
    return found.where(*(column.contains(word, autoescape=True) for word in left))
