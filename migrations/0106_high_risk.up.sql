-- People at particular risk need authenticators that stay on their device.
ALTER TABLE person ADD COLUMN high_risk BOOLEAN NOT NULL DEFAULT FALSE;
