-- An event is found by the last characters of its person and its patient, and
-- then compared: entries of half the size, for each event that is written.
CREATE INDEX audit_entry_of_patient ON audit_entry (tenant, SUBSTR(patient, LENGTH(patient) - 5), id) WHERE patient <> '';
CREATE INDEX audit_entry_of_person ON audit_entry (tenant, SUBSTR(person_id, LENGTH(person_id) - 5), id) WHERE person_id <> '';
DROP INDEX audit_entry_patient;
DROP INDEX audit_entry_person;
