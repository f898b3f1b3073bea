-- A code belongs to one connection and lies in its row: a byte for its state, 16
-- bytes of its keyed hash, and until it is used what it is bound to. auth_code
-- holds those of the version before.
ALTER TABLE app_grant ADD COLUMN code BYTEA NOT NULL DEFAULT '';
