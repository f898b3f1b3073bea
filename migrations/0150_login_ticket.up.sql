-- What one device waits for and another one answers: a log-in to be approved, an
-- enrolment at the bedside. What is not looked up by is in body, sealed. Nodes of the
-- version before know none of them.
CREATE TABLE login_ticket (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    person_id TEXT   NOT NULL,
    state     TEXT   NOT NULL,
    ends      BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX login_ticket_person ON login_ticket (tenant, person_id, kind, state);
CREATE INDEX login_ticket_ends ON login_ticket (ends);
