-- The main tables hold the newest version, the *_version tables the older
-- ones: each version is stored once, and a search reads one index.
CREATE TABLE consent (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    patient TEXT   NOT NULL,
    status  TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    actors  TEXT   NOT NULL,
    json    BYTEA  NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX consent_patient ON consent (tenant, patient, id);

CREATE TABLE consent_version (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    patient TEXT   NOT NULL,
    status  TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    actors  TEXT   NOT NULL,
    json    BYTEA  NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant, id, version)
);

-- Who is an actor of the newest version.
CREATE TABLE consent_actor (
    tenant     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    consent_id TEXT NOT NULL,
    PRIMARY KEY (tenant, actor, consent_id)
);
CREATE INDEX consent_actor_consent ON consent_actor (tenant, consent_id);

CREATE TABLE consent_epoch (
    tenant  TEXT   NOT NULL,
    patient TEXT   NOT NULL,
    epoch   BIGINT NOT NULL,
    PRIMARY KEY (tenant, patient)
);

CREATE TABLE related_person (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    patient      TEXT    NOT NULL,
    active       BOOLEAN NOT NULL,
    period_start BIGINT  NOT NULL,
    period_end   BIGINT  NOT NULL,
    relationship TEXT    NOT NULL,
    json         BYTEA   NOT NULL,
    updated      BIGINT  NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX related_person_patient ON related_person (tenant, patient, id);

CREATE TABLE related_person_version (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    patient      TEXT    NOT NULL,
    active       BOOLEAN NOT NULL,
    period_start BIGINT  NOT NULL,
    period_end   BIGINT  NOT NULL,
    relationship TEXT    NOT NULL,
    json         BYTEA   NOT NULL,
    updated      BIGINT  NOT NULL,
    PRIMARY KEY (tenant, id, version)
);
