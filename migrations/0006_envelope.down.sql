DROP TABLE data_key;
DROP TABLE tenant_key;
