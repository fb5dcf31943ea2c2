"""What agrees with a scale."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("scalebars", sa.Column("witnesses", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("scalebars", "witnesses")
