DROP TABLE revoked_token;
DROP TABLE used_assertion;
DROP TABLE refresh_token;
DROP TABLE auth_code;
DROP TABLE app_grant;
DROP TABLE pending;
DROP TABLE launch;
DROP TABLE client;
