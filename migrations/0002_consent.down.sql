DROP TABLE related_person_version;
DROP TABLE related_person;
DROP TABLE consent_epoch;
DROP TABLE consent_actor;
DROP TABLE consent_version;
DROP TABLE consent;
