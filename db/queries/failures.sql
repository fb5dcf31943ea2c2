-- What has failed and was not made good since, newest first.
-- param limit = 100
SELECT stage, target, error_class, message, attempt, last_seen_at, run_id
FROM failures
WHERE resolved_at IS NULL
ORDER BY last_seen_at DESC, id DESC
LIMIT :limit
