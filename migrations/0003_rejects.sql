-- Records that could not be typed, and the files of a run. Only adds.

-- One row a rejected record, written in the run's own transaction.
CREATE TABLE rejected_rows (
    run_id BIGINT NOT NULL,
    file TEXT NOT NULL,
    -- The physical line on which the record starts, from 1.
    line BIGINT NOT NULL,
    -- Its position in the file, after decompression and decoding.
    byte_offset BIGINT NOT NULL,
    -- The column to blame, as the file names it; null where it is the record as a whole.
    column_name TEXT,
    -- A word for counting, such as amount_out_of_range.
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    -- The record's bytes, without the line break.
    raw BYTEA NOT NULL
);

CREATE INDEX rejected_rows_run_id ON rejected_rows (run_id);

-- One row a file of a run, in the order in which they were read. The columns file_* of ingest_runs
-- describe all of them together: names joined, bytes added up, and, where there are several, the
-- digest of their digests.
CREATE TABLE ingest_files (
    run_id BIGINT NOT NULL,
    position INT NOT NULL,
    name TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    rows_read BIGINT NOT NULL,
    rows_rejected BIGINT NOT NULL,
    PRIMARY KEY (run_id, position)
);
