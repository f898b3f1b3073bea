-- The key to which a code or a refresh token is bound, empty for none. A node of
-- the version before writes none and asks for none: bound ones are given out
-- by new nodes only, and an old one would take them without the key until it is
-- replaced.
ALTER TABLE auth_code ADD COLUMN cnf TEXT NOT NULL DEFAULT '';
ALTER TABLE refresh_token ADD COLUMN cnf TEXT NOT NULL DEFAULT '';
ALTER TABLE refresh_chain ADD COLUMN cnf TEXT NOT NULL DEFAULT '';
