CREATE TABLE client (
    tenant TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    epoch  BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE launch (
    tenant      TEXT   NOT NULL,
    hash        TEXT   NOT NULL,
    ehr_client  TEXT   NOT NULL,
    client_id   TEXT   NOT NULL,
    launch_user TEXT   NOT NULL,
    aud         TEXT   NOT NULL,
    context     TEXT   NOT NULL,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    used        BIGINT NOT NULL,
    flow        TEXT   NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX launch_expires ON launch (expires);

CREATE TABLE pending (
    tenant       TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    browser      TEXT   NOT NULL,
    request      TEXT   NOT NULL,
    context      TEXT   NOT NULL,
    launch_user  TEXT   NOT NULL,
    session_hash TEXT   NOT NULL,
    person_id    TEXT   NOT NULL,
    capacity     TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    done         BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX pending_expires ON pending (expires);

CREATE TABLE app_grant (
    tenant          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    person_id       TEXT    NOT NULL,
    client_id       TEXT    NOT NULL,
    patient         TEXT    NOT NULL,
    capacity        TEXT    NOT NULL,
    context         TEXT    NOT NULL,
    scopes          TEXT    NOT NULL,
    topics          TEXT    NOT NULL,
    consent_id      TEXT    NOT NULL,
    consent_version BIGINT  NOT NULL,
    consents        TEXT    NOT NULL,
    offline         BOOLEAN NOT NULL,
    online          BOOLEAN NOT NULL,
    session_hash    TEXT    NOT NULL,
    auth_time       BIGINT  NOT NULL,
    amr             TEXT    NOT NULL,
    acr             TEXT    NOT NULL,
    created         BIGINT  NOT NULL,
    ends            BIGINT  NOT NULL,
    renew_for       BIGINT  NOT NULL,
    revoked         BIGINT  NOT NULL,
    reason          TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX app_grant_person ON app_grant (tenant, person_id, created) WHERE person_id <> '';
CREATE INDEX app_grant_patient ON app_grant (tenant, patient, created) WHERE patient <> '';

-- No foreign keys below: these rows are written on every token request.
CREATE TABLE auth_code (
    tenant       TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    grant_id     TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    redirect_uri TEXT   NOT NULL,
    challenge    TEXT   NOT NULL,
    nonce        TEXT   NOT NULL,
    issued       BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX auth_code_expires ON auth_code (expires);

CREATE TABLE refresh_token (
    tenant    TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    grant_id  TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    issued    BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    rotated   BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX refresh_token_expires ON refresh_token (expires);

-- guard is a digest of issuer and jti: short, and random-leading.
CREATE TABLE used_assertion (
    tenant  TEXT   NOT NULL,
    guard   TEXT   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, guard)
);
CREATE INDEX used_assertion_expires ON used_assertion (expires);

CREATE TABLE revoked_token (
    tenant  TEXT   NOT NULL,
    jti     TEXT   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, jti)
);
CREATE INDEX revoked_token_expires ON revoked_token (expires);
