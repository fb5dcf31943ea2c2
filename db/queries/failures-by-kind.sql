-- Open failures counted by stage and kind of error.
SELECT stage, error_class, count(*) AS failures, max(attempt) AS attempts, min(message) AS example
FROM failures
WHERE resolved_at IS NULL
GROUP BY stage, error_class
ORDER BY failures DESC, stage, error_class
