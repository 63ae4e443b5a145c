-- Where a row came from, so that it is told by file and line rather than by a name; and what a file
-- held, so that the same content is known again. Only adds; null for runs of hosts that did not
-- record it.

-- The earliest and the latest transaction_timestamp that the run wrote.
ALTER TABLE ingest_runs ADD COLUMN first_timestamp TIMESTAMP WITHOUT TIME ZONE;
ALTER TABLE ingest_runs ADD COLUMN last_timestamp TIMESTAMP WITHOUT TIME ZONE;

-- The digest of the file's bytes after decompression; sha256 is that of its bytes on disk.
ALTER TABLE ingest_files ADD COLUMN content_sha256 TEXT;
-- The names of its columns, as the header has them; null for files that were read without a header.
ALTER TABLE ingest_files ADD COLUMN header TEXT;

-- Of an older run's file, its own digest is the best that is known.
CREATE INDEX ingest_files_content ON ingest_files (coalesce(content_sha256, sha256));

-- The file's position in ingest_files: names may occur twice.
ALTER TABLE rejected_rows ADD COLUMN position INT;
ALTER TABLE skipped_rows ADD COLUMN position INT;

-- The values of the row that was left out.
ALTER TABLE skipped_rows ADD COLUMN user_id BIGINT;
ALTER TABLE skipped_rows ADD COLUMN amount DECIMAL(10, 2);
ALTER TABLE skipped_rows ADD COLUMN transaction_timestamp TIMESTAMP WITHOUT TIME ZONE;
