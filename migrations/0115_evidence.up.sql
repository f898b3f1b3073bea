-- What Mandate records beside Consents: who checked an identity or an instrument,
-- who signed for whom, what a clinician found. json is sealed under the patient's
-- key. Older versions move to the second table.
CREATE TABLE evidence (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    type    TEXT   NOT NULL,
    patient TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    focus   TEXT   NOT NULL,
    status  TEXT   NOT NULL,
    json    BYTEA  NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX evidence_patient ON evidence (tenant, patient, updated) WHERE patient <> '';
CREATE INDEX evidence_person ON evidence (tenant, person, updated) WHERE person <> '';
CREATE INDEX evidence_focus ON evidence (tenant, focus, updated) WHERE focus <> '';
CREATE TABLE evidence_version (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    type    TEXT   NOT NULL,
    patient TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    focus   TEXT   NOT NULL,
    status  TEXT   NOT NULL,
    json    BYTEA  NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant, id, version)
);
