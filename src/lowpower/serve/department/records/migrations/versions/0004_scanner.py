"""Which scanner a slide came from, as its file says; of slides that are here already it is not known.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep it with the slide."""
    op.add_column("slides", sa.Column("scanner", sa.String(length=100), nullable=True))
