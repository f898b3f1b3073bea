-- A step-up gives a session a new secret. The row of the one before is replaced:
-- its secret is dead, while what was granted in it stands as long as the family
-- lives. Nodes of the version before end it instead.
ALTER TABLE login_session ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE login_session ADD COLUMN replaced BIGINT NOT NULL DEFAULT 0;
