CREATE TABLE operator_role (
    tenant      TEXT   NOT NULL,
    person_id   TEXT   NOT NULL,
    slot        TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    assigned    BIGINT NOT NULL,
    assigned_by TEXT   NOT NULL,
    PRIMARY KEY (tenant, person_id, slot)
);
