"""What ISO 9276-6 knows of a particle beside its size, and where its edge was found."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBERS = (
    "feret_90_px",
    "feret_90_nm",
    "geodesic_length_px",
    "geodesic_length_nm",
    "mean_width_px",
    "mean_width_nm",
    "feret_ratio",
    "elongation",
    "roundness",
    "convexity",
    "shape_score",
    "nearest_neighbour_px",
    "nearest_neighbour_nm",
    "mean_intensity",
    "contrast",
    "edge_uncertainty_px",
    "edge_uncertainty_nm",
)

VIEWED = (
    "feret_90_nm",
    "geodesic_length_nm",
    "mean_width_nm",
    "feret_ratio",
    "elongation",
    "roundness",
    "convexity",
    "shape",
    "shape_score",
    "nearest_neighbour_nm",
    "mean_intensity",
    "contrast",
    "edge_refined",
    "edge_uncertainty_nm",
)

#: The view as 0003 made it, with room for more columns of particles.
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
    s.run_id{more}
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
    for name in NUMBERS:
        op.add_column("particles", sa.Column(name, sa.Double))
    op.add_column("particles", sa.Column("shape", sa.Text))
    op.add_column("particles", sa.Column("edge_refined", sa.Boolean))
    op.execute(MEASURED_PARTICLES.format(more="".join(f",\n    p.{name}" for name in VIEWED)))


def downgrade():
    op.execute("DROP VIEW measured_particles")
    with op.batch_alter_table("particles") as table:
        for name in (*NUMBERS, "shape", "edge_refined"):
            table.drop_column(name)
    op.execute(MEASURED_PARTICLES.format(more=""))
