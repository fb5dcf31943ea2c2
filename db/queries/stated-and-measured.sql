-- The size that a caption states beside the size that was measured, by how far they are apart.
-- param min_particles = 10
-- param limit = 100
SELECT
    a.doi,
    f.label AS figure,
    t.panel,
    t.stated_size_nm,
    t.ecd_mean_nm,
    t.ecd_sd_nm,
    t.n_accepted,
    t.ecd_mean_nm / t.stated_size_nm AS ratio
FROM (
    SELECT
        n.figure_id,
        n.label AS panel,
        n.stated_size_nm,
        s.id,
        s.ecd_mean_nm,
        s.ecd_sd_nm,
        s.n_accepted,
        abs(s.ecd_mean_nm - n.stated_size_nm) / n.stated_size_nm AS apart
    FROM panels n
    JOIN segmentations s ON s.panel_id = n.id AND s.is_current
    WHERE n.stated_size_nm > 0 AND s.ecd_mean_nm IS NOT NULL AND s.n_accepted >= :min_particles
    ORDER BY apart DESC, s.id
    LIMIT :limit
) t
JOIN figures f ON f.id = t.figure_id
JOIN articles a ON a.id = f.article_id
ORDER BY t.apart DESC, t.id
