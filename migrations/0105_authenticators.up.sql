-- What a person sees of an authenticator: its name (sealed), when it was last
-- used, whether a passkey is backed up now, and why it may not be used any more.
ALTER TABLE factor ADD COLUMN name BYTEA NOT NULL DEFAULT '';
ALTER TABLE factor ADD COLUMN used BIGINT NOT NULL DEFAULT 0;
ALTER TABLE factor ADD COLUMN backed_up BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE factor ADD COLUMN locked TEXT NOT NULL DEFAULT '';

-- Challenges to authenticators are not stored when they are made, only when they
-- were answered: each works once.
CREATE TABLE spent_challenge (
    tenant  TEXT   NOT NULL,
    hash    TEXT   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX spent_challenge_expires ON spent_challenge (expires);
