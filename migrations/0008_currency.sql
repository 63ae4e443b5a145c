-- The currency of a row, as its file has it. Only adds; null where a file has none, for runs that were not
-- asked to keep it (`--currency`), and for runs of hosts that did not record it. Where a table has such a
-- column already, it stays as it is.
ALTER TABLE transactions ADD COLUMN IF NOT EXISTS currency TEXT;
