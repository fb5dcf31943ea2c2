"""What people say of pictures; the models of every stage; the picture's path in the view."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = """
CREATE VIEW measured_particles AS
SELECT
    a.doi,
    a.key AS article,
    a.title,
    a.year,
    f.label AS figure,
    n.label AS panel,
    n.panel_index,
    n.subcaption,
    n.technique,
    p.label AS particle,
    p.ecd_nm,
    p.area_nm2,
    p.perimeter_nm,
    p.feret_max_nm,
    p.feret_min_nm,
    p.major_axis_nm,
    p.minor_axis_nm,
    p.aspect_ratio,
    p.circularity,
    p.solidity,
    p.orientation_deg,
    p.uncertainty,
    p.score,
    p.accepted,
    p.reason,
    p.touches_border,
    p.x_px,
    p.y_px,
    p.area_px,
    p.ecd_px,
    s.nm_per_px,
    s.id AS segmentation_id,
    s.run_id
FROM particles p
JOIN segmentations s ON s.id = p.segmentation_id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
WHERE s.is_current
"""

MEASURED_PARTICLES = """
CREATE VIEW measured_particles AS
SELECT
    a.doi,
    a.key AS article,
    a.title,
    a.year,
    f.label AS figure,
    f.image_path,
    n.label AS panel,
    n.panel_index,
    n.subcaption,
    n.technique,
    p.label AS particle,
    p.ecd_nm,
    p.area_nm2,
    p.perimeter_nm,
    p.feret_max_nm,
    p.feret_min_nm,
    p.major_axis_nm,
    p.minor_axis_nm,
    p.aspect_ratio,
    p.circularity,
    p.solidity,
    p.orientation_deg,
    p.uncertainty,
    p.score,
    p.accepted,
    p.reason,
    p.touches_border,
    p.x_px,
    p.y_px,
    p.area_px,
    p.ecd_px,
    s.nm_per_px,
    b.source AS scale_source,
    b.confidence AS scale_confidence,
    b.magnification,
    f.image_sha256,
    s.id AS segmentation_id,
    s.run_id
FROM particles p
JOIN segmentations s ON s.id = p.segmentation_id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
WHERE s.is_current
"""


def upgrade():
    op.execute("DROP VIEW measured_particles")
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_sha256", sa.Text(), nullable=False),
        sa.Column("x0", sa.Integer(), nullable=True),
        sa.Column("y0", sa.Integer(), nullable=True),
        sa.Column("x1", sa.Integer(), nullable=True),
        sa.Column("y1", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('reject', 'restore', 'draw', 'merge', 'split', 'scale', 'not-em', 'em', 'forget')",
            name="corrections_kind",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("corrections_image", "corrections", ["image_sha256"])
    # A column with a default is added in place; copying ten million rows for a nullable one would take minutes.
    op.add_column("runs", sa.Column("models", sa.Text(), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("failures", sa.Column("figure", sa.Text(), nullable=True))
    op.add_column("failures", sa.Column("panel", sa.Text(), nullable=True))
    op.add_column("scalebars", sa.Column("magnification", sa.Double(), nullable=True))
    op.add_column("scalebars", sa.Column("conflict", sa.Text(), nullable=True))
    op.add_column("panels", sa.Column("found_kind", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.execute("UPDATE panels SET found_kind = kind")
    for table in ("scalebars", "segmentations"):
        op.add_column(table, sa.Column("is_latest", sa.Boolean(), nullable=False, server_default=sa.false()))
        op.execute(f"UPDATE {table} SET is_latest = is_current")
    op.add_column("targets", sa.Column("is_latest", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("particles", sa.Column("found_reason", sa.Text(), nullable=True))
    op.execute("UPDATE particles SET found_reason = reason WHERE reason IS NOT NULL")
    op.add_column("particles", sa.Column("correction_id", sa.Integer(), nullable=True))
    op.execute(MEASURED_PARTICLES)


def downgrade():
    op.execute("DROP VIEW measured_particles")
    for table, column in (
        ("particles", "correction_id"),
        ("particles", "found_reason"),
        ("targets", "is_latest"),
        ("segmentations", "is_latest"),
        ("scalebars", "is_latest"),
        ("panels", "found_kind"),
        ("scalebars", "conflict"),
        ("scalebars", "magnification"),
        ("failures", "panel"),
        ("failures", "figure"),
        ("runs", "models"),
    ):
        op.drop_column(table, column)
    op.drop_table("corrections")
    op.execute(BEFORE)
