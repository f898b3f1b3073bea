CREATE TABLE person (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    username     TEXT    NOT NULL,
    username_key TEXT    NOT NULL,
    name         BYTEA   NOT NULL,
    role         TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    disabled     BOOLEAN NOT NULL,
    created      BIGINT  NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX person_username ON person (tenant, username_key);

CREATE TABLE person_identity (
    tenant    TEXT    NOT NULL,
    person_id TEXT    NOT NULL,
    position  BIGINT  NOT NULL,
    resource  TEXT    NOT NULL,
    patient   TEXT    NOT NULL,
    verified  BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, person_id, position),
    FOREIGN KEY (tenant, person_id) REFERENCES person (tenant, id) ON DELETE CASCADE
);
CREATE INDEX person_identity_resource ON person_identity (tenant, resource);

CREATE TABLE factor (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    secret    BYTEA  NOT NULL,
    counter   BIGINT NOT NULL,
    created   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX factor_person ON factor (tenant, person_id, created);

CREATE TABLE login_session (
    tenant    TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    auth_time BIGINT NOT NULL,
    amr       TEXT   NOT NULL,
    language  TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    ends      BIGINT NOT NULL,
    idle_ends BIGINT NOT NULL,
    ended     BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX login_session_person ON login_session (tenant, person_id);
CREATE INDEX login_session_ends ON login_session (ends);

-- One row per key that failed: its lock makes concurrent counts exact.
CREATE TABLE login_failure_key (
    tenant  TEXT   NOT NULL,
    key     TEXT   NOT NULL,
    newest  BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX login_failure_key_newest ON login_failure_key (newest);

CREATE TABLE login_failure (
    tenant TEXT   NOT NULL,
    key    TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    id     TEXT   NOT NULL,
    PRIMARY KEY (tenant, key, at, id)
);
CREATE INDEX login_failure_at ON login_failure (at);
