"""The view of measured particles, and the indices that the named queries use."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MEASURED_PARTICLES = """
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


def upgrade():
    op.create_index("articles_doi", "articles", ["doi"])
    op.create_index("figures_image", "figures", ["image_sha256"])
    op.create_index("targets_article", "targets", ["article_id"])
    open_failures = sa.text("resolved_at IS NULL")
    op.create_index(
        "failures_open", "failures", ["target_key"], sqlite_where=open_failures, postgresql_where=open_failures
    )
    # The smallest and largest particle of a segmentation lead to the particles of a size.
    op.create_index("segmentations_size", "segmentations", ["ecd_max_nm"])
    op.create_index("panels_stated_size", "panels", ["stated_size_nm"])
    op.execute(MEASURED_PARTICLES)


def downgrade():
    op.execute("DROP VIEW measured_particles")
    op.drop_index("panels_stated_size")
    op.drop_index("segmentations_size")
    op.drop_index("failures_open")
    op.drop_index("targets_article")
    op.drop_index("figures_image")
    op.drop_index("articles_doi")
