"""How far a panel's numbers can be trusted without looking, in the view; what files say of how they were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

#: The view as 0005 made it, with room for another column.
VIEW = """
CREATE VIEW measured_particles AS
SELECT
    a.doi,
    a.key AS article,
    a.title,
    a.journal,
    a.year,
    f.label AS figure,
    f.image_path,
    n.label AS panel,
    n.panel_index,
    n.subcaption,
    n.technique,
    n.material,
    n.material_confidence,
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
    p.edge_uncertainty_nm{trust}
FROM particles p
JOIN segmentations s ON s.id = p.segmentation_id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
WHERE s.is_current
"""

#: C where any reason is grave, B where there is any, else A; the bounds are those of report/trust.py.
TRUST = """,
    CASE
        WHEN s.n_accepted < 5
            OR s.nm_per_px IS NULL
            OR b.confidence < 0.5
            OR (n.stated_size_nm > 0 AND abs(s.ecd_mean_nm - n.stated_size_nm) / n.stated_size_nm > 0.5)
            THEN 'C'
        WHEN s.n_accepted < 30
            OR (s.n_particles > s.n_border AND s.n_uncertain > 0.3 * (s.n_particles - s.n_border))
            OR b.confidence < 0.9
            OR b.reason <> ''
            OR (n.stated_size_nm > 0 AND abs(s.ecd_mean_nm - n.stated_size_nm) / n.stated_size_nm > 0.25)
            THEN 'B'
        ELSE 'A'
    END AS trust"""


#: Columns of figures that are added, all of them nullable.
FIGURES = {
    "file_writer": sa.Text(),
    "file_nm_per_px": sa.Double(),
    "voltage_kv": sa.Double(),
    "magnification": sa.Double(),
    "taken_at": sa.Text(),
}


def upgrade():
    for name, kind in FIGURES.items():
        op.add_column("figures", sa.Column(name, kind, nullable=True))
    op.execute("DROP VIEW measured_particles")
    op.execute(VIEW.format(trust=TRUST))


def downgrade():
    op.execute("DROP VIEW measured_particles")
    op.execute(VIEW.format(trust=""))
    for name in FIGURES:
        op.drop_column("figures", name)
