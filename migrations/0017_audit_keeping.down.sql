DROP TABLE node_heartbeat;
DROP TABLE audit_hold;
DROP TABLE audit_retention;
DROP TABLE audit_cursor;
