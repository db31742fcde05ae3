"""The worklist is searched by an index on SQLite; PostgreSQL's own is asked for at every start.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FOUND = "slides_found (slides_found, rowid, answer_words) VALUES ('delete', OLD.number, OLD.answer_words)"
_KEPT = "slide_words (slide_id, words, answer_words) SELECT id, words, answer_words FROM slides"
_STATEMENTS = (
    # A number of its own: VACUUM may renumber the rows of `slides`, whose key is text.
    "CREATE TABLE slide_words (number INTEGER PRIMARY KEY, slide_id VARCHAR(32) NOT NULL UNIQUE, "
    "words TEXT NOT NULL, answer_words TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE slides_found USING fts5 "
    "(answer_words, content = 'slide_words', content_rowid = 'number', tokenize = 'trigram')",
    "CREATE TRIGGER slide_words_in AFTER INSERT ON slide_words BEGIN INSERT INTO slides_found "
    "(rowid, answer_words) VALUES (NEW.number, NEW.answer_words); END",
    f"CREATE TRIGGER slide_words_out AFTER DELETE ON slide_words BEGIN INSERT INTO {_FOUND}; END",
    f"CREATE TRIGGER slides_in AFTER INSERT ON slides WHEN NEW.removed IS NULL BEGIN INSERT INTO {_KEPT} "
    "WHERE id = NEW.id; END",
    "CREATE TRIGGER slides_changed AFTER UPDATE OF words, answer_words, removed ON slides BEGIN "
    f"DELETE FROM slide_words WHERE slide_id = OLD.id; INSERT INTO {_KEPT} "
    "WHERE id = NEW.id AND removed IS NULL; END",
    "CREATE TRIGGER slides_out AFTER DELETE ON slides BEGIN "
    "DELETE FROM slide_words WHERE slide_id = OLD.id; END",
    f"INSERT INTO {_KEPT} WHERE removed IS NULL",
)


def upgrade() -> None:
    """Index every three letters of what slides are found by, those that are here already among them."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in _STATEMENTS:
            op.execute(statement)
