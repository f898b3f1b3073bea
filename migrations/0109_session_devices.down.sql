DROP TABLE login_device;
ALTER TABLE login_session DROP COLUMN network;
ALTER TABLE login_session DROP COLUMN agent;
ALTER TABLE login_session DROP COLUMN shared;
ALTER TABLE login_session DROP COLUMN device;
ALTER TABLE login_session DROP COLUMN browser;
