CREATE TABLE operator_os_user (
    tenant    TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    os_user   TEXT   NOT NULL,
    bound     BIGINT NOT NULL,
    bound_by  TEXT   NOT NULL,
    PRIMARY KEY (tenant, person_id),
    UNIQUE (tenant, os_user)
);
