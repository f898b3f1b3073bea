-- The Merkle tree over the events of a tenant (D8). Rows of audit_event are
-- not touched by sealing: which event stands where is kept here, some 50 bytes
-- for each.
CREATE TABLE audit_tree (
    tenant     TEXT   NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL,
    sealed     BIGINT NOT NULL,
    checkpoint BYTEA  NOT NULL
);
-- A run of leaves, never over a multiple of 256: for each its event and hash.
-- oldest and newest bound the times of the events.
CREATE TABLE audit_batch (
    tenant TEXT   NOT NULL,
    first  BIGINT NOT NULL,
    oldest BIGINT NOT NULL,
    newest BIGINT NOT NULL,
    leaves BYTEA  NOT NULL,
    PRIMARY KEY (tenant, first)
);
CREATE INDEX audit_batch_newest ON audit_batch (tenant, newest);
-- The hashes at every eighth height.
CREATE TABLE audit_node (
    tenant TEXT   NOT NULL,
    level  BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    hash   BYTEA  NOT NULL,
    PRIMARY KEY (tenant, level, n)
);
-- How many leaves belong to events of a minute: compared with the events, it
-- finds those that were committed late and those that were removed.
CREATE TABLE audit_minute (
    tenant TEXT   NOT NULL,
    minute BIGINT NOT NULL,
    leaves BIGINT NOT NULL,
    PRIMARY KEY (tenant, minute)
);
CREATE TABLE audit_checkpoint (
    tenant     TEXT   NOT NULL,
    size       BIGINT NOT NULL,
    checkpoint BYTEA  NOT NULL,
    PRIMARY KEY (tenant, size)
);
