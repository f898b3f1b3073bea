-- As whom a person acts on pages; empty for themself. Nodes of the version before
-- do not read it: their pages show the person's own matters.
ALTER TABLE login_session ADD COLUMN acting TEXT NOT NULL DEFAULT '';
