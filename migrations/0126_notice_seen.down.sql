DROP INDEX notice_person;
ALTER TABLE notice DROP COLUMN seen;
