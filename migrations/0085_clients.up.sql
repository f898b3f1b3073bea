-- Which documents may describe clients of a tenant, empty for what the server's
-- configuration says. A node of the version before writes none and knows no such
-- clients.
ALTER TABLE tenant ADD COLUMN client_documents TEXT NOT NULL DEFAULT '';
