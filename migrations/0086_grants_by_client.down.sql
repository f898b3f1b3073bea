DROP INDEX app_grant_client;
