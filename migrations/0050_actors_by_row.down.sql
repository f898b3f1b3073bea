CREATE INDEX consent_actor_consent ON consent_actor (tenant, consent_id);
