-- What a directory says of the accounts of staff (SCIM). deleted is when it took
-- somebody out of it, 0 while they are in; body is sealed. Nodes of the version
-- before know none of it.
CREATE TABLE directory_entry (
    tenant    TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    modified  BIGINT NOT NULL,
    deleted   BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, person_id)
);

-- The names by which a directory finds an account: its own id of the person, and
-- e-mail addresses. key is a blind index of value, which is sealed.
CREATE TABLE directory_key (
    tenant    TEXT NOT NULL,
    id        TEXT NOT NULL,
    person_id TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX directory_key_key ON directory_key (tenant, key);
CREATE INDEX directory_key_person ON directory_key (tenant, person_id);

CREATE TABLE directory_member (
    tenant    TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    person_id TEXT NOT NULL,
    PRIMARY KEY (tenant, group_id, person_id)
);
CREATE INDEX directory_member_person ON directory_member (tenant, person_id);
