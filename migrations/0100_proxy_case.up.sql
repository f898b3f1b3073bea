-- One person's way to one patient's record, from the invitation to its end. What
-- is not looked up by is in body, sealed under the patient's key.
CREATE TABLE proxy_case (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    patient   TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    state     TEXT   NOT NULL,
    secret    TEXT   NOT NULL,
    due       BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    updated   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX proxy_case_patient ON proxy_case (tenant, patient, updated);
CREATE INDEX proxy_case_person ON proxy_case (tenant, person_id, updated) WHERE person_id <> '';
CREATE INDEX proxy_case_state ON proxy_case (tenant, state, updated);
CREATE UNIQUE INDEX proxy_case_secret ON proxy_case (tenant, secret) WHERE secret <> '';
CREATE INDEX proxy_case_due ON proxy_case (tenant, due) WHERE due <> 0;
