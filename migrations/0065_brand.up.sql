-- What anybody may read of a tenant's brands: one bundle, not encrypted.
CREATE TABLE brand_bundle (
    tenant           TEXT   NOT NULL,
    version          BIGINT NOT NULL,
    json             BYTEA  NOT NULL,
    primary_system   TEXT   NOT NULL,
    primary_value    TEXT   NOT NULL,
    updated          BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);
