-- Panels of nearly equal particles: relative spread of the diameter below a bound.
-- param max_spread = 0.1
-- param min_particles = 30
-- param limit = 100
SELECT
    a.doi,
    f.label AS figure,
    n.label AS panel,
    n.subcaption,
    s.n_accepted,
    s.ecd_mean_nm,
    s.ecd_sd_nm,
    s.spread,
    s.id AS segmentation_id
FROM (
    SELECT id, panel_id, n_accepted, ecd_mean_nm, ecd_sd_nm, ecd_sd_nm / ecd_mean_nm AS spread
    FROM segmentations
    WHERE is_current AND n_accepted >= :min_particles AND ecd_sd_nm <= :max_spread * ecd_mean_nm
    ORDER BY spread, id
    LIMIT :limit
) s
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
ORDER BY s.spread, s.id
