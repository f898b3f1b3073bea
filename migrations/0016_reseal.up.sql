-- The encrypting again of a tenant's values under its newest keys: position is
-- where the pass goes on that began at the time began; stale counts what the
-- pass found under older keys. A whole late pass without any ends the work.
CREATE TABLE reseal_pass (
    tenant   TEXT   NOT NULL PRIMARY KEY,
    started  BIGINT NOT NULL,
    began    BIGINT NOT NULL,
    position TEXT   NOT NULL,
    seen     BIGINT NOT NULL,
    stale    BIGINT NOT NULL,
    finished BIGINT NOT NULL
);
