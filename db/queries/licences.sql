-- Under which licences the articles stand.
SELECT coalesce(licence, 'unknown') AS licence, count(*) AS articles
FROM articles
GROUP BY 1
ORDER BY 2 DESC, 1
