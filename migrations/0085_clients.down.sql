ALTER TABLE tenant DROP COLUMN client_documents;
