-- Materials by the number of their measured panels, with the particles and their mean size.
-- param limit = 50
SELECT
    n.material,
    count(DISTINCT f.article_id) AS articles,
    count(*) AS panels,
    sum(s.n_accepted) AS particles,
    sum(s.ecd_mean_nm * s.n_accepted) / sum(CASE WHEN s.ecd_mean_nm IS NOT NULL THEN s.n_accepted END) AS ecd_mean_nm
FROM panels n
JOIN figures f ON f.id = n.figure_id
JOIN segmentations s ON s.panel_id = n.id AND s.is_current
WHERE n.material IS NOT NULL
GROUP BY n.material
ORDER BY panels DESC, n.material
LIMIT :limit
