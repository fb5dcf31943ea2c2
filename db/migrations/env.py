"""Run by Alembic: the store hands over an open connection, and the migrations run on it."""

from alembic import context

connection = context.config.attributes["connection"]
# SQLite cannot alter a column in place; batch mode copies the table instead.
context.configure(connection=connection, render_as_batch=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
