-- How a person wants pages to look, in which language letters to them are, and
-- until when they travel (UTC, microseconds): log-ins from other countries then
-- ask for nothing more. Nodes of the version before know none of it.
ALTER TABLE person ADD COLUMN look TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN travels BIGINT NOT NULL DEFAULT 0;
