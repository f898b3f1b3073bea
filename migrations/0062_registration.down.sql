ALTER TABLE tenant DROP COLUMN registration;
