ALTER TABLE notice DROP COLUMN channel;
ALTER TABLE notice DROP COLUMN delivered;
