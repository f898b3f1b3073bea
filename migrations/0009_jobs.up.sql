-- One row per job that one node at a time may do. Times are the database's
-- own, so that no node's clock decides. turn grows with every new holder.
CREATE TABLE lease (
    name   TEXT   NOT NULL,
    holder TEXT   NOT NULL,
    turn   BIGINT NOT NULL,
    ends   BIGINT NOT NULL,
    due    BIGINT NOT NULL,
    PRIMARY KEY (name)
);

-- Work to be done later, at least once. due is when it may be taken next: a
-- claim moves it ahead, so that the work of a killed node comes back.
CREATE TABLE job (
    tenant   TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    queue    TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    attempts BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    buried   BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX job_due ON job (queue, due) WHERE buried = 0;
CREATE INDEX job_buried ON job (buried) WHERE buried <> 0;

-- What changed that nodes keep in memory. Written by rare acts only
-- (administration, revocation), never by issuing a token.
CREATE TABLE change (
    id     TEXT   NOT NULL,
    tenant TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    key    TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX change_at ON change (at);
