DROP TABLE notice;
DROP TABLE named_secret;
DROP TABLE signing_key;
