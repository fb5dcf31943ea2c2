"""What panels are made of, where stated sizes stand, the abstract; journal and material in the view."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: The view as 0004 made it, with room for more of the article and the panel.
VIEW = """
CREATE VIEW measured_particles AS
SELECT
    a.doi,
    a.key AS article,
    a.title,
    {article}a.year,
    f.label AS figure,
    f.image_path,
    n.label AS panel,
    n.panel_index,
    n.subcaption,
    n.technique,{panel}
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
    s.run_id,
    p.feret_90_nm,
    p.geodesic_length_nm,
    p.mean_width_nm,
    p.feret_ratio,
    p.elongation,
    p.roundness,
    p.convexity,
    p.shape,
    p.shape_score,
    p.nearest_neighbour_nm,
    p.mean_intensity,
    p.contrast,
    p.edge_refined,
    p.edge_uncertainty_nm
FROM particles p
JOIN segmentations s ON s.id = p.segmentation_id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
WHERE s.is_current
"""

#: Columns that are added, all of them nullable: no row is copied.
PANELS = (
    ("material", sa.Text()),
    ("material_text", sa.Text()),
    ("material_source", sa.Text()),
    ("material_start", sa.Integer()),
    ("material_end", sa.Integer()),
    ("material_confidence", sa.Double()),
    ("stated_source", sa.Text()),
    ("stated_text", sa.Text()),
    ("stated_start", sa.Integer()),
    ("stated_end", sa.Integer()),
    ("stated_sample", sa.Text()),
)


def upgrade():
    op.execute("DROP VIEW measured_particles")
    op.add_column("articles", sa.Column("abstract", sa.Text(), nullable=True))
    for name, kind in PANELS:
        op.add_column("panels", sa.Column(name, kind, nullable=True))
    op.create_index("panels_material", "panels", ["material"])
    op.execute(VIEW.format(article="a.journal,\n    ", panel="\n    n.material,\n    n.material_confidence,"))


def downgrade():
    op.execute("DROP VIEW measured_particles")
    op.drop_index("panels_material")
    for name, _ in reversed(PANELS):
        op.drop_column("panels", name)
    op.drop_column("articles", "abstract")
    op.execute(VIEW.format(article="", panel=""))
