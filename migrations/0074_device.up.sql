-- Requests of devices without keyboard (RFC 8628), by the keyed hashes of their codes.
CREATE TABLE device_code (
    tenant     TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    user_hash  TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    poll_after BIGINT NOT NULL,
    polled     BIGINT NOT NULL,
    answered   BIGINT NOT NULL,
    grant_id   TEXT   NOT NULL,
    used       BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE UNIQUE INDEX device_code_user ON device_code (tenant, user_hash);
CREATE INDEX device_code_expires ON device_code (expires);
