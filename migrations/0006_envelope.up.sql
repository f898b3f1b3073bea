-- One key per tenant, wrapped by a key-encryption key that the store never
-- sees. wrapped is empty once the key was destroyed; the row stays, so that
-- what it encrypted is known to be erased and not damaged.
CREATE TABLE tenant_key (
    tenant    TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    kek       TEXT   NOT NULL,
    wrapped   BYTEA  NOT NULL,
    created   BIGINT NOT NULL,
    active    BIGINT NOT NULL,
    destroy   BIGINT NOT NULL,
    destroyed BIGINT NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- The data keys of a patient (subject is the patient's id), of the tenant
-- itself (empty) and of its indexes and hashes (#...), wrapped by version
-- parent of the tenant's key.
CREATE TABLE data_key (
    tenant    TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    parent    BIGINT NOT NULL,
    wrapped   BYTEA  NOT NULL,
    created   BIGINT NOT NULL,
    active    BIGINT NOT NULL,
    retired   BIGINT NOT NULL,
    destroy   BIGINT NOT NULL,
    destroyed BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, version)
);
CREATE INDEX data_key_parent ON data_key (tenant, parent, subject, version);
