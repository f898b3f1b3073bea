DROP TABLE device_code;
