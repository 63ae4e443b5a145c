-- What tells, after a run was undone, whether ids begin anew. Only adds.

-- How far the sequence that numbers anomalies was when the run was undone; null if there was none. If it is behind
-- that now, the tables were emptied with RESTART IDENTITY since, so that the ids of the run may be given again.
ALTER TABLE ingest_runs ADD COLUMN undone_mark BIGINT;

CREATE INDEX ingest_runs_undone ON ingest_runs (run_id, last_transaction_id) WHERE undone_at IS NOT NULL;
