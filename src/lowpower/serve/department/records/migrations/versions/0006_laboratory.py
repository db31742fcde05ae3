"""Which laboratory stained a slide, where that was said; of slides that are here already it was not.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep it with the slide."""
    op.add_column("slides", sa.Column("laboratory", sa.String(length=100), nullable=True))
