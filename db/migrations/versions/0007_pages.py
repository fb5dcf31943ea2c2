"""Which page of a file with several a picture is."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = {"page": sa.Integer(), "pages": sa.Integer(), "channel": sa.Text()}


def upgrade():
    for name, kind in _COLUMNS.items():
        op.add_column("figures", sa.Column(name, kind, nullable=True))


def downgrade():
    for name in _COLUMNS:
        op.drop_column("figures", name)
