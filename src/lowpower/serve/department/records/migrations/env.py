"""Alembic's entry: the connection is given by the program, which holds the lock."""

from alembic import context

from lowpower.serve.department.records._schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="lowpower_version",
    transaction_per_migration=False,
)
context.run_migrations()
