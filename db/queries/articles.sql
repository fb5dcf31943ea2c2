-- The articles with the most accepted particles, with what was found in each.
-- param limit = 100
SELECT
    a.doi,
    a.title,
    a.year,
    a.journal,
    t.panels,
    t.panels_with_scale,
    t.particles,
    t.ecd_mean_nm
FROM (
    SELECT
        f.article_id,
        count(*) AS panels,
        count(s.nm_per_px) AS panels_with_scale,
        sum(s.n_accepted) AS particles,
        -- Weighted by the particles of each panel: the mean over the article's particles.
        sum(s.ecd_mean_nm * s.n_accepted) / nullif(sum(CASE WHEN s.ecd_mean_nm IS NOT NULL THEN s.n_accepted END), 0)
            AS ecd_mean_nm
    FROM segmentations s
    JOIN panels n ON n.id = s.panel_id
    JOIN figures f ON f.id = n.figure_id
    WHERE s.is_current
    GROUP BY f.article_id
    ORDER BY particles DESC, f.article_id
    LIMIT :limit
) t
JOIN articles a ON a.id = t.article_id
ORDER BY t.particles DESC, a.id
