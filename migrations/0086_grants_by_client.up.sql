-- Operators list and end what people allowed one app. A grant is written once, so
-- this costs one more entry when a person allows an app, and nothing at a token
-- request.
CREATE INDEX app_grant_client ON app_grant (tenant, client_id, created, id);
