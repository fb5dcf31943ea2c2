-- Accepted particles whose equivalent circular diameter lies between two sizes, with where they are.
-- param low_nm
-- param high_nm
-- param limit = 1000
SELECT a.doi, f.label AS figure, n.label AS panel, n.panel_index, p.label AS particle, p.ecd_nm, p.aspect_ratio,
    s.id AS segmentation_id
FROM segmentations s
JOIN particles p ON p.segmentation_id = s.id
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
WHERE s.is_current
    -- The smallest and largest particle of a panel tell whether it can hold one of that size.
    AND s.ecd_max_nm >= :low_nm
    AND s.ecd_min_nm <= :high_nm
    AND p.accepted
    AND p.ecd_nm BETWEEN :low_nm AND :high_nm
LIMIT :limit
