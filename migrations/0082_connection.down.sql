ALTER TABLE app_grant DROP COLUMN packed;
ALTER TABLE app_grant DROP COLUMN approval;
