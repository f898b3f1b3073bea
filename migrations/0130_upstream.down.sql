DROP TABLE upstream_match;
DROP TABLE upstream_session;
