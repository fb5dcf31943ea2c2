-- Articles, measured panels and accepted particles by year of publication.
SELECT a.year, count(DISTINCT a.id) AS articles, sum(t.panels) AS panels, sum(t.particles) AS particles
FROM articles a
LEFT JOIN (
    SELECT f.article_id, count(*) AS panels, sum(s.n_accepted) AS particles
    FROM segmentations s
    JOIN panels n ON n.id = s.panel_id
    JOIN figures f ON f.id = n.figure_id
    WHERE s.is_current
    GROUP BY f.article_id
) t ON t.article_id = a.id
GROUP BY a.year
ORDER BY a.year
