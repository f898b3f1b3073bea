-- What was revoked lately. A row is written with the revocation itself and
-- leaves once the journal outside of the store has had it for a while.
CREATE TABLE revocation (
    tenant    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    body      TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    journaled BOOLEAN NOT NULL,
    ends      BIGINT  NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX revocation_pending ON revocation (tenant, kind, subject) WHERE journaled = FALSE;
CREATE INDEX revocation_ends ON revocation (ends);

-- How far each segment of the journal had come: what a restore must find there.
CREATE TABLE revocation_segment (
    segment TEXT   NOT NULL,
    line    BIGINT NOT NULL,
    sum     TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (segment)
);

-- One row per restore into this store; finished is 0 until it may be used.
CREATE TABLE restore (
    id       TEXT   NOT NULL,
    backup   TEXT   NOT NULL,
    taken    BIGINT NOT NULL,
    loaded   BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    opens    BIGINT NOT NULL,
    PRIMARY KEY (id)
);
