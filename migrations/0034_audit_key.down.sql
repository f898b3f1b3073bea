DROP TABLE audit_end;
DROP TABLE audit_key;
