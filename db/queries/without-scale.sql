-- Measured panels whose scale is unknown, and why: their particles have sizes in pixels only.
-- param limit = 100
SELECT a.doi, f.label AS figure, n.label AS panel, n.panel_index, b.reason, b.text, b.confidence, f.image_path,
    s.id AS segmentation_id
FROM segmentations s
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
WHERE s.is_current AND s.nm_per_px IS NULL
ORDER BY s.id
LIMIT :limit
