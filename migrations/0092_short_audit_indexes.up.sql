-- An event is found by the last characters of its person and its patient and the
-- 256 minutes in which it happened, and then compared: events of one person that
-- follow one another share an entry.
CREATE INDEX audit_entry_of_patient ON audit_entry (tenant, SUBSTR(patient, LENGTH(patient) - 5), SUBSTR(id, 1, 3)) WHERE patient <> '';
CREATE INDEX audit_entry_of_person ON audit_entry (tenant, SUBSTR(person_id, LENGTH(person_id) - 5), SUBSTR(id, 1, 3)) WHERE person_id <> '';
DROP INDEX audit_entry_patient;
DROP INDEX audit_entry_person;
