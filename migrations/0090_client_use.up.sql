-- When a client was last used, to the day: what tells clients that nobody uses
-- any more. A node of the version before writes none; the time of a client's
-- registration stands in for it.
CREATE TABLE client_use (
    tenant    TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (tenant, client_id)
);
