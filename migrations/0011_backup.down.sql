DROP TABLE restore;
DROP TABLE revocation_segment;
DROP TABLE revocation;
