-- What staff must decide by a day: reviews of denials to representatives, and
-- disputes. The body holds ids and codes only.
CREATE TABLE matter (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    patient TEXT   NOT NULL,
    open    BIGINT NOT NULL,
    warned  BIGINT NOT NULL,
    due     BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX matter_due ON matter (tenant, due) WHERE open <> 0;
