DROP TABLE consent_policy_withdrawn;
