DROP TABLE reseal_pass;
