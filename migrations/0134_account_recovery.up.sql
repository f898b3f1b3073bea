-- Ways back into accounts. What is not looked up by is in body, sealed.
CREATE TABLE account_recovery (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    hash      TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    state     TEXT   NOT NULL,
    ends      BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX account_recovery_hash ON account_recovery (tenant, hash);
CREATE INDEX account_recovery_ends ON account_recovery (ends);
