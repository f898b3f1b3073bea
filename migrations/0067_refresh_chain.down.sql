DROP TABLE refresh_chain;
