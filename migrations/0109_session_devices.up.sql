-- Which browser and device a log-in session belongs to, whether the device is
-- shared, what it calls itself and from which network it came. Sessions of the
-- version before have none of it and are bound to no browser.
ALTER TABLE login_session ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE login_session ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE login_session ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE login_session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE login_session ADD COLUMN network TEXT NOT NULL DEFAULT '';

-- The devices on which a person finished a log-in, by the keyed hash of a cookie.
CREATE TABLE login_device (
    tenant    TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    agent     TEXT   NOT NULL,
    network   TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    PRIMARY KEY (tenant, person_id, hash)
);
CREATE INDEX login_device_seen ON login_device (last_seen);
