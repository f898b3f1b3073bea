-- How far each stream of the audit log was delivered, in leaves.
CREATE TABLE audit_cursor (
    tenant    TEXT   NOT NULL,
    stream    TEXT   NOT NULL,
    delivered BIGINT NOT NULL,
    PRIMARY KEY (tenant, stream)
);
-- For how many days the bodies of a class of events are kept, and up to when
-- they have been erased.
CREATE TABLE audit_retention (
    tenant TEXT   NOT NULL,
    class  TEXT   NOT NULL,
    days   BIGINT NOT NULL,
    erased BIGINT NOT NULL,
    PRIMARY KEY (tenant, class)
);
-- What may not be erased, whatever its age; empty columns do not restrict.
CREATE TABLE audit_hold (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    matter    TEXT   NOT NULL,
    patient   TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    released  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
-- When each node was last heard of: by its own clock and by the database's.
CREATE TABLE node_heartbeat (
    node    TEXT   NOT NULL PRIMARY KEY,
    at_node BIGINT NOT NULL,
    at_db   BIGINT NOT NULL
);
