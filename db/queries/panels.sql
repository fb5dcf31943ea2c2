-- The measured panels of one article or picture: scale, particles, sizes.
-- param doi
SELECT
    f.label AS figure,
    n.label AS panel,
    n.panel_index,
    n.technique,
    n.material,
    s.nm_per_px,
    s.n_particles,
    s.n_accepted,
    s.n_border,
    s.n_uncertain,
    s.ecd_mean_nm,
    s.ecd_sd_nm,
    s.ecd_median_nm,
    s.aspect_ratio_mean,
    n.stated_size_nm,
    n.stated_source,
    n.subcaption,
    s.id AS segmentation_id
FROM articles a
JOIN figures f ON f.article_id = a.id
JOIN panels n ON n.figure_id = f.id
JOIN segmentations s ON s.panel_id = n.id AND s.is_current
WHERE (a.doi = lower(:doi) OR a.key = :doi)
ORDER BY f.label, n.panel_index
