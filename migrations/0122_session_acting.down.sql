ALTER TABLE login_session DROP COLUMN acting;
