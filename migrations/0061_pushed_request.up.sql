-- Authorization requests that clients pushed (RFC 9126), by the keyed hash of
-- their request_uri.
CREATE TABLE pushed_request (
    tenant    TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    request   TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX pushed_request_expires ON pushed_request (expires);
