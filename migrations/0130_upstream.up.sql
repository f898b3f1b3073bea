-- From which identity provider a session comes, so that its end there ends it
-- here. Subject and provider's session are keyed hashes. Nodes of the version
-- before write none and leave those that there are.
CREATE TABLE upstream_session (
    tenant   TEXT   NOT NULL,
    hash     TEXT   NOT NULL,
    provider TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    session  TEXT   NOT NULL,
    ends     BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX upstream_session_subject ON upstream_session (tenant, provider, subject);
CREATE INDEX upstream_session_session ON upstream_session (tenant, provider, session);
CREATE INDEX upstream_session_ends ON upstream_session (ends);

-- Cases about subjects of whom the rules were not sure; body is sealed.
CREATE TABLE upstream_match (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX upstream_match_state ON upstream_match (tenant, state, created);
