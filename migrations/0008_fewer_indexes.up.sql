-- Every event of a grant names its person and its patient, by whose indexes it
-- is found; this one was written with each token and asked for on one page.
DROP INDEX audit_event_grant;
