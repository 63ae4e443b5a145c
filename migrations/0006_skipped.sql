-- What a run wrote into skipped_rows. Only adds.

-- The digest of these rows; null where there are none, and for runs of hosts that did not record it.
-- Whether a skipped row differed can be held against nothing else: the row that has its id may lawfully
-- be another one by now.
ALTER TABLE ingest_runs ADD COLUMN skipped_sha256 TEXT;
