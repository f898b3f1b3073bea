DROP TABLE evidence_version;
DROP TABLE evidence;
