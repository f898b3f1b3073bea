-- The actors of a Consent are read from its row before they are changed; this
-- index was written with each approval of an app.
DROP INDEX consent_actor_consent;
