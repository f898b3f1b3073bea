-- What people ask for who are no party of a case. The body names a patient as it was
-- typed, and holds files until the patient was looked for; due deletes the row.
CREATE TABLE proxy_request (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    person_id TEXT   NOT NULL,
    open      BIGINT NOT NULL,
    created   BIGINT NOT NULL,
    due       BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX proxy_request_person ON proxy_request (tenant, person_id, created);
CREATE INDEX proxy_request_open ON proxy_request (tenant, created) WHERE open <> 0;
CREATE INDEX proxy_request_due ON proxy_request (due);
