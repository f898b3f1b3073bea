CREATE TABLE signing_key (
    tenant      TEXT   NOT NULL,
    kid         TEXT   NOT NULL,
    key_use     TEXT   NOT NULL,
    alg         TEXT   NOT NULL,
    private_key BYTEA  NOT NULL,
    created     BIGINT NOT NULL,
    signs       BIGINT NOT NULL,
    retired     BIGINT NOT NULL,
    PRIMARY KEY (tenant, kid)
);

CREATE TABLE named_secret (
    tenant  TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    value   BYTEA  NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE notice (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    template  TEXT   NOT NULL,
    args      TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX notice_created ON notice (tenant, created);
