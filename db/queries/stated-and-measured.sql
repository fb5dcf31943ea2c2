-- The size that caption or text states beside the measured one: agreement, conflict (the widest first) or silence.
-- param min_particles = 10
-- param tolerance = 0.25
-- param limit = 100
SELECT
    a.doi,
    f.label AS figure,
    t.panel,
    t.material,
    t.stated_size_nm,
    t.stated_spread_nm,
    t.ecd_mean_nm,
    t.ecd_sd_nm,
    t.n_accepted,
    t.ecd_mean_nm / t.stated_size_nm AS ratio,
    CASE
        WHEN t.stated_size_nm IS NULL THEN 'silence'
        WHEN t.apart <= :tolerance THEN 'agreement'
        ELSE 'conflict'
    END AS verdict,
    t.stated_source,
    t.stated_sample,
    t.stated_text,
    t.id AS segmentation_id
FROM (
    SELECT
        n.figure_id,
        n.label AS panel,
        n.material,
        n.stated_size_nm,
        n.stated_spread_nm,
        n.stated_source,
        n.stated_sample,
        n.stated_text,
        s.id,
        s.ecd_mean_nm,
        s.ecd_sd_nm,
        s.n_accepted,
        CASE WHEN n.stated_size_nm > 0 THEN abs(s.ecd_mean_nm - n.stated_size_nm) / n.stated_size_nm END AS apart,
        CASE WHEN n.stated_size_nm > 0 THEN 0 ELSE 1 END AS is_silent
    FROM panels n
    JOIN segmentations s ON s.panel_id = n.id AND s.is_current
    WHERE s.ecd_mean_nm IS NOT NULL AND s.n_accepted >= :min_particles
    ORDER BY is_silent, apart DESC, s.id
    LIMIT :limit
) t
JOIN figures f ON f.id = t.figure_id
JOIN articles a ON a.id = f.article_id
ORDER BY t.is_silent, t.apart DESC, t.id
