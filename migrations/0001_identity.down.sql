DROP TABLE login_failure;
DROP TABLE login_failure_key;
DROP TABLE login_session;
DROP TABLE factor;
DROP TABLE person_identity;
DROP TABLE person;
