CREATE INDEX audit_entry_patient ON audit_entry (tenant, patient, id) WHERE patient <> '';
CREATE INDEX audit_entry_person ON audit_entry (tenant, person_id, id) WHERE person_id <> '';
DROP INDEX audit_entry_of_patient;
DROP INDEX audit_entry_of_person;
