-- The panels of which the uncertainty filter rejected the largest share: worth a look.
-- param min_particles = 10
-- param limit = 50
SELECT
    a.doi,
    f.label AS figure,
    n.label AS panel,
    n.panel_index,
    s.n_particles,
    s.n_uncertain,
    1.0 * s.n_uncertain / s.n_particles AS share,
    s.id AS segmentation_id
FROM (
    SELECT * FROM segmentations
    WHERE is_current AND n_particles >= :min_particles
    ORDER BY 1.0 * n_uncertain / n_particles DESC, id
    LIMIT :limit
) s
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
ORDER BY share DESC, s.id
