-- How often in a row proving oneself in one way has failed, since the last success.
CREATE TABLE login_consecutive (
    tenant   TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    failures BIGINT NOT NULL,
    newest   BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX login_consecutive_newest ON login_consecutive (newest);
