CREATE INDEX audit_event_grant ON audit_event (tenant, grant_id, time) WHERE grant_id <> '';
