-- The Consent that records what a person allowed an app says little that the
-- row of the connection does not. approval holds the rest, sealed; consent has a
-- row for it from its first change on. packed holds the columns that nothing is
-- looked up by, which are empty then.
ALTER TABLE app_grant ADD COLUMN approval BYTEA NOT NULL DEFAULT '';
ALTER TABLE app_grant ADD COLUMN packed BYTEA NOT NULL DEFAULT '';
