-- When a notice was handed on, and by which channel; 0 and '' before.
ALTER TABLE notice ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN channel TEXT NOT NULL DEFAULT '';
