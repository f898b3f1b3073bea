DROP TABLE account_recovery;
