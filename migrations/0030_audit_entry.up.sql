-- Events as they are written from now on; those in audit_event stay there. id
-- is 16 bytes: the minute of the event, the microsecond in it, 8 random bytes.
-- So the primary key is the index on time too, and grows at its end. head holds
-- the columns that are not searched for, packed; body is sealed, and packed
-- before it. Order and choice of the columns: a row is written with each token.
CREATE TABLE audit_entry (
    tenant    TEXT  NOT NULL,
    id        BYTEA NOT NULL,
    person_id TEXT  NOT NULL,
    client_id TEXT  NOT NULL,
    patient   TEXT  NOT NULL,
    grant_id  BYTEA NOT NULL,
    head      BYTEA NOT NULL,
    body      BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_entry_patient ON audit_entry (tenant, patient, id) WHERE patient <> '';
CREATE INDEX audit_entry_person ON audit_entry (tenant, person_id, id) WHERE person_id <> '';
