-- What it takes to tell runs apart, to prove them, and to keep the ids of a file. Only adds.

-- How transaction_id was chosen: assign (by the host) or keep (the file's own).
ALTER TABLE ingest_runs ADD COLUMN ids TEXT NOT NULL DEFAULT 'assign' CHECK (ids IN ('assign', 'keep'));
-- How the files were read: delimiter, encoding, names of columns and the like; null for runs of
-- hosts that did not record it.
ALTER TABLE ingest_runs ADD COLUMN reading JSONB;
-- Rows that were left out because their id was there already; see skipped_rows.
ALTER TABLE ingest_runs ADD COLUMN rows_skipped BIGINT NOT NULL DEFAULT 0;
-- The digest of this row and of its rows in ingest_files: a row that was altered does not fit it.
ALTER TABLE ingest_runs ADD COLUMN sha256 TEXT;

ALTER TABLE ingest_runs DROP CONSTRAINT ingest_runs_check;
ALTER TABLE ingest_runs ADD CONSTRAINT ingest_runs_rows_add_up
    CHECK (rows_read = rows_written + rows_rejected + rows_skipped);

-- One row a row of a file whose id was there already, written in the run's own transaction.
CREATE TABLE skipped_rows (
    run_id BIGINT NOT NULL,
    file TEXT NOT NULL,
    -- The physical line on which the row starts, from 1.
    line BIGINT NOT NULL,
    transaction_id BIGINT NOT NULL,
    -- Whether the file's user, amount or timestamp are others than those that are stored.
    differs BOOLEAN NOT NULL
);

CREATE INDEX skipped_rows_run_id ON skipped_rows (run_id);
