-- The largest accepted particles, with where they are.
-- param limit = 20
SELECT a.doi, f.label AS figure, n.label AS panel, n.panel_index, p.label AS particle, p.ecd_nm, p.aspect_ratio,
    s.id AS segmentation_id
FROM (
    -- The N largest particles lie in the N panels whose largest particle is largest.
    SELECT id, panel_id
    FROM segmentations
    WHERE is_current AND ecd_max_nm IS NOT NULL
    ORDER BY ecd_max_nm DESC
    LIMIT :limit
) s
JOIN particles p ON p.segmentation_id = s.id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
WHERE p.accepted AND p.ecd_nm IS NOT NULL
ORDER BY p.ecd_nm DESC
LIMIT :limit
