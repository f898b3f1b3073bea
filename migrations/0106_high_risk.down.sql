ALTER TABLE person DROP COLUMN high_risk;
