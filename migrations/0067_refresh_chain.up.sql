-- The refresh tokens of a grant: its newest one, the one before it, and when the
-- newest was given out. A refresh changes this row in place, in columns without
-- an index; before, each token had a row in refresh_token, where those that were
-- given out then stay.
CREATE TABLE refresh_chain (
    tenant   TEXT   NOT NULL,
    grant_id TEXT   NOT NULL,
    newest   BYTEA  NOT NULL,
    previous BYTEA  NOT NULL,
    issued   BIGINT NOT NULL,
    expires  BIGINT NOT NULL,
    PRIMARY KEY (tenant, grant_id)
);
CREATE INDEX refresh_chain_expires ON refresh_chain (expires);
