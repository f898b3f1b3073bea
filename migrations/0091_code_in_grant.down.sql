ALTER TABLE app_grant DROP COLUMN code;
