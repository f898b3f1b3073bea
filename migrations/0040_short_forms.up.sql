-- Which stored forms a node reads. A newer form is written once no node runs
-- that does not read it.
ALTER TABLE node_heartbeat ADD COLUMN form BIGINT NOT NULL DEFAULT 0;
-- A whole request, packed and sealed; the columns beside it are empty then.
ALTER TABLE pending ADD COLUMN packed BYTEA NOT NULL DEFAULT '';
