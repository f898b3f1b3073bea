ALTER TABLE login_session DROP COLUMN replaced;
ALTER TABLE login_session DROP COLUMN family;
