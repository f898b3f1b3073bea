-- Token buckets: refilled is when a bucket is full again, by the database's
-- clock. A full one needs no row.
CREATE TABLE permit (
    tenant   TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    refilled BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX permit_refilled ON permit (refilled);
