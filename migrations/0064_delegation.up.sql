-- Which client acts under a grant that a person gave to another one.
CREATE TABLE delegation (
    tenant    TEXT   NOT NULL,
    grant_id  TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    via       TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    last      BIGINT NOT NULL,
    ended     BIGINT NOT NULL,
    PRIMARY KEY (tenant, grant_id, client_id)
);
