"""Jobs that run a study are of no slide, and have the folder of their result themselves.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a job be without a slide; SQLite makes the table anew for that."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("slide_id", existing_type=sa.String(length=32), nullable=True)
        jobs.add_column(sa.Column("folder", sa.String(length=100), nullable=True))
