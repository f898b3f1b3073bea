-- When the person opened a notice as a message of the portal; 0: not yet. Nodes of
-- the version before do not read it.
ALTER TABLE notice ADD COLUMN seen BIGINT NOT NULL DEFAULT 0;
CREATE INDEX notice_person ON notice (tenant, person_id, created) WHERE person_id <> '';
