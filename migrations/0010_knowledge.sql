-- What detectors know from one run to the next, what has become known of rows since, and runs that were undone.
-- Only adds.

-- The name of the state that a run continued and wrote; null if it had none.
ALTER TABLE ingest_runs ADD COLUMN state TEXT;
-- The run whose state it continued; null if it began anew.
ALTER TABLE ingest_runs ADD COLUMN state_predecessor BIGINT;
-- How many entries of the state it wrote, and their digest.
ALTER TABLE ingest_runs ADD COLUMN state_entries BIGINT;
ALTER TABLE ingest_runs ADD COLUMN state_sha256 TEXT;
-- Files from which its detector learned before the first row, without writing them; null if there were none.
ALTER TABLE ingest_runs ADD COLUMN history JSONB;
-- The rows of feedback that its detector was given: those numbered after the first, up to the second.
ALTER TABLE ingest_runs ADD COLUMN feedback_after BIGINT;
ALTER TABLE ingest_runs ADD COLUMN feedback_through BIGINT;
-- The names of the further columns that were kept for feedback, in the order of kept_columns.texts.
ALTER TABLE ingest_runs ADD COLUMN kept_columns TEXT[];
-- When the run's rows were removed by `host undo`; null if they were not.
ALTER TABLE ingest_runs ADD COLUMN undone_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX ingest_runs_state ON ingest_runs (state, run_id);
CREATE INDEX ingest_runs_state_predecessor ON ingest_runs (state_predecessor);

-- What detectors have learned: what each run has changed. An entry of a later run of the same state takes the place
-- of earlier ones of the same user.
CREATE TABLE detector_states (
    run_id BIGINT NOT NULL,
    -- Null for what belongs to no user.
    user_id BIGINT,
    -- Empty if nothing is known of the user any more.
    value BYTEA NOT NULL
);

CREATE UNIQUE INDEX detector_states_run_id ON detector_states (run_id, user_id);

-- Runs whose entries are, together with those of the runs before them, all that was known after them: what was
-- replaced until then is removed.
CREATE TABLE detector_state_bases (
    run_id BIGINT PRIMARY KEY,
    entries BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    merged_at TIMESTAMP WITH TIME ZONE NOT NULL
);

-- What has become known of rows. A later one takes the place of an earlier one of the same transaction, which is kept.
CREATE TABLE feedback (
    -- In the order in which they were committed.
    feedback_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id BIGINT NOT NULL,
    -- The run that wrote the row.
    run_id BIGINT NOT NULL,
    is_fraud BOOLEAN NOT NULL,
    -- In the time zone of the files.
    known_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    file TEXT NOT NULL,
    line BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE INDEX feedback_transaction_id ON feedback (transaction_id, feedback_id);

-- The further columns of the rows that detectors judged which learn from feedback.
CREATE TABLE kept_columns (
    transaction_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    -- Null where the file had no such column.
    texts TEXT[] NOT NULL
);

CREATE INDEX kept_columns_transaction_id ON kept_columns (transaction_id);
CREATE INDEX kept_columns_run_id ON kept_columns (run_id);
