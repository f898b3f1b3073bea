DROP TABLE spent_challenge;
ALTER TABLE factor DROP COLUMN locked;
ALTER TABLE factor DROP COLUMN backed_up;
ALTER TABLE factor DROP COLUMN used;
ALTER TABLE factor DROP COLUMN name;
