-- How many accepted particles of one article or picture fall into each class of size.
-- param doi
-- param bin_nm = 5
SELECT bin * :bin_nm AS from_nm, (bin + 1) * :bin_nm AS to_nm, particles
FROM (
    -- Rounding x - 1/2 is the floor of x in every database.
    SELECT CAST(round(CAST(p.ecd_nm / :bin_nm - 0.5 AS NUMERIC)) AS INTEGER) AS bin, count(*) AS particles
    FROM articles a
    JOIN figures f ON f.article_id = a.id
    JOIN panels n ON n.figure_id = f.id
    JOIN segmentations s ON s.panel_id = n.id AND s.is_current
    JOIN particles p ON p.segmentation_id = s.id
    WHERE (a.doi = lower(:doi) OR a.key = :doi) AND p.accepted AND p.ecd_nm IS NOT NULL
    GROUP BY 1
) counted
ORDER BY bin
