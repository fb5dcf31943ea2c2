-- The runs, newest first.
-- param limit = 20
SELECT id, state, started_at, finished_at, command, targets_total, targets_done, targets_failed, targets_skipped,
    settings_digest, weights_sha256, seed
FROM runs
ORDER BY started_at DESC, id
LIMIT :limit
