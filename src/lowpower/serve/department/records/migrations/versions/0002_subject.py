"""People whom an OpenID Connect provider vouches for.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Know an account by the provider's number of the person."""
    op.add_column("users", sa.Column("subject", sa.String(length=400), nullable=True))
    op.create_index(op.f("ix_users_subject"), "users", ["subject"], unique=True)
