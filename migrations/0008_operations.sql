-- Which source sent the files, which rows a run has replaced, and what was removed later. Only adds.

-- The source of the files, as it was named; null if none was.
ALTER TABLE ingest_runs ADD COLUMN source TEXT;

-- Rows that took the place of stored ones; they are among the rows written. See replaced_rows.
ALTER TABLE ingest_runs ADD COLUMN rows_replaced BIGINT NOT NULL DEFAULT 0;
-- The digest of what the run wrote into replaced_rows; null where it wrote nothing.
ALTER TABLE ingest_runs ADD COLUMN replaced_sha256 TEXT;
ALTER TABLE ingest_runs ADD CONSTRAINT ingest_runs_replaced_were_written
    CHECK (rows_replaced BETWEEN 0 AND rows_written);

-- One row for each stored row that a run has replaced, with the values that it had until then; written
-- in the run's own transaction.
CREATE TABLE replaced_rows (
    -- The run that replaced it, and where the row is that took its place.
    run_id BIGINT NOT NULL,
    position INT NOT NULL,
    file TEXT NOT NULL,
    line BIGINT NOT NULL,
    transaction_id BIGINT NOT NULL,
    -- Whether user, amount or timestamp are others now.
    differs BOOLEAN NOT NULL,
    -- The run that had written it; null if that is not known.
    written_by BIGINT,
    -- Its values.
    user_id BIGINT,
    amount DECIMAL,
    transaction_timestamp TIMESTAMP WITHOUT TIME ZONE,
    is_anomalous BIGINT,
    source_id BIGINT,
    source_key TEXT,
    -- Its anomaly, if it had one.
    had_anomaly BOOLEAN NOT NULL,
    anomaly_run_id BIGINT,
    score DOUBLE PRECISION,
    reason TEXT
);

CREATE INDEX replaced_rows_run_id ON replaced_rows (run_id);
CREATE INDEX replaced_rows_transaction_id ON replaced_rows (transaction_id);
CREATE INDEX replaced_rows_anomaly_run_id ON replaced_rows (anomaly_run_id) WHERE had_anomaly;

-- What was removed of what runs had recorded, so that it is not missed.
CREATE TABLE ingest_prunes (
    run_id BIGINT NOT NULL,
    -- rejected_rows, skipped_rows or replaced_rows.
    table_name TEXT NOT NULL,
    rows_removed BIGINT NOT NULL,
    pruned_at TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE INDEX ingest_prunes_run_id ON ingest_prunes (run_id);
