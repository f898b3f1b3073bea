-- Rows are only ever added. leaf is the event's place in the Merkle log, NULL
-- until it is sealed (D8). body is sealed and holds the fields that are not
-- searched for.
CREATE TABLE audit_event (
    tenant     TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    time       BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    person_id  TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    patient    TEXT   NOT NULL,
    resource   TEXT   NOT NULL,
    grant_id   TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    body       BYTEA  NOT NULL,
    leaf       BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_event_time ON audit_event (tenant, time);
CREATE INDEX audit_event_patient ON audit_event (tenant, patient, time) WHERE patient <> '';
CREATE INDEX audit_event_grant ON audit_event (tenant, grant_id, time) WHERE grant_id <> '';
CREATE INDEX audit_event_person ON audit_event (tenant, person_id, time) WHERE person_id <> '';
