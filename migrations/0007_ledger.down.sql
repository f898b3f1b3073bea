DROP TABLE audit_checkpoint;
DROP TABLE audit_minute;
DROP TABLE audit_node;
DROP TABLE audit_batch;
DROP TABLE audit_tree;
