-- What apps keep for themselves, at its newest version; json is encrypted, under
-- the patient's key where it is about one.
CREATE TABLE app_state (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    code      TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    patient   TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    json      BYTEA  NOT NULL,
    updated   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX app_state_subject ON app_state (tenant, subject, code, id);
