"""Failures of names that were no file are no longer kept; those that older programs kept are resolved."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    # Nothing can resolve them: a name that was mistyped never becomes a target that succeeds.
    resolve = sa.text("UPDATE failures SET resolved_at = :now WHERE stage = 'input' AND resolved_at IS NULL")
    op.get_bind().execute(resolve, {"now": datetime.now(UTC).isoformat(timespec="seconds")})


def downgrade():
    """Nothing to take back: the schema is the same."""
