-- What an identity provider posted and was judged, until the browser that left
-- comes for it. The key is a keyed hash, body is sealed; a row lives for minutes.
CREATE TABLE upstream_answer (
    tenant TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    ends   BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX upstream_answer_ends ON upstream_answer (ends);
