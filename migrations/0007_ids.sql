-- Ids that are not whole numbers of 64 bits. Only adds.

-- The file's own transaction id, if it is a text; source_id is null then.
ALTER TABLE transactions ADD COLUMN IF NOT EXISTS source_key TEXT;

-- The numbers of users whose ids are texts; all of them are below zero, so that they are never those of users whose ids
-- are numbers. If a table of this name exists, it stays as it is, and files with textual ids of users are refused
-- unless it fits.
CREATE TABLE IF NOT EXISTS users (
    user_id BIGINT PRIMARY KEY,
    source_key TEXT COLLATE "C" NOT NULL UNIQUE
);

-- Whether there has been a run with such users.
CREATE INDEX ingest_runs_textual_users ON ingest_runs (run_id) WHERE reading ->> 'user_ids' = 'text';

-- As wide as the amounts of transactions may be.
ALTER TABLE skipped_rows ALTER COLUMN amount TYPE DECIMAL;
