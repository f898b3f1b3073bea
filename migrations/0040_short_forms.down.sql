ALTER TABLE pending DROP COLUMN packed;
ALTER TABLE node_heartbeat DROP COLUMN form;
