ALTER TABLE refresh_chain DROP COLUMN cnf;
ALTER TABLE refresh_token DROP COLUMN cnf;
ALTER TABLE auth_code DROP COLUMN cnf;
