DROP TABLE reseal;
DROP TABLE key_epoch;
DROP TABLE data_key;
DROP TABLE tenant_key;
