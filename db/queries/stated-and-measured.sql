-- The size that a caption states beside the size that was measured, by how far they are apart.
-- param min_particles = 10
-- param limit = 100
SELECT
    a.doi,
    f.label AS figure,
    n.label AS panel,
    n.stated_size_nm,
    s.ecd_mean_nm,
    s.ecd_sd_nm,
    s.n_accepted,
    s.ecd_mean_nm / n.stated_size_nm AS ratio
FROM panels n
JOIN segmentations s ON s.panel_id = n.id AND s.is_current
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
WHERE n.stated_size_nm > 0 AND s.ecd_mean_nm IS NOT NULL AND s.n_accepted >= :min_particles
ORDER BY abs(s.ecd_mean_nm - n.stated_size_nm) / n.stated_size_nm DESC, s.id
LIMIT :limit
