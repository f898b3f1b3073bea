-- Policies and templates of Consents that were withdrawn, and how far the grants
-- made from each have been looked at.
CREATE TABLE consent_policy_withdrawn (
    tenant  TEXT    NOT NULL,
    uri     TEXT    NOT NULL,
    since   BIGINT  NOT NULL,
    after   TEXT    NOT NULL,
    checked BIGINT  NOT NULL,
    ended   BIGINT  NOT NULL,
    done    BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, uri)
);
