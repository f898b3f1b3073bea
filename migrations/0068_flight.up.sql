-- The last requests of each client, for its developer. Housekeeping keeps the
-- newest of each and none for long.
CREATE TABLE flight (
    tenant    TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    id        TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, client_id, at, id)
);
CREATE INDEX flight_at ON flight (at);
