CREATE TABLE tenant (
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    organization TEXT   NOT NULL,
    upstream     TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    PRIMARY KEY (id)
);
