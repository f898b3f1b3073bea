-- The public side of the keys of each audit log: a generation salts the leaves
-- of events from starts on, and signs checkpoints once its announcement is
-- sealed: from the size signs on, 0 before. The secrets lie in named_secret.
CREATE TABLE audit_key (
    tenant       TEXT   NOT NULL,
    generation   BIGINT NOT NULL,
    verifier_key TEXT   NOT NULL,
    event        TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    starts       BIGINT NOT NULL,
    signs        BIGINT NOT NULL,
    PRIMARY KEY (tenant, generation)
);
-- What stays of a log whose tenant was erased with all its keys: the one event
-- that says so, in the clear, with the salt of its leaf.
CREATE TABLE audit_end (
    tenant TEXT  NOT NULL PRIMARY KEY,
    event  TEXT  NOT NULL,
    salt   BYTEA NOT NULL,
    body   BYTEA NOT NULL
);
