-- Pictures that appear in more than one figure.
-- param limit = 100
SELECT f.image_sha256, a.doi, f.label AS figure
FROM (
    SELECT image_sha256 FROM figures
    WHERE image_sha256 IS NOT NULL
    GROUP BY image_sha256
    HAVING count(*) > 1
    LIMIT :limit
) twice
JOIN figures f ON f.image_sha256 = twice.image_sha256
JOIN articles a ON a.id = f.article_id
ORDER BY f.image_sha256, a.id, f.id
