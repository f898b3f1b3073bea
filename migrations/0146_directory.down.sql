DROP TABLE directory_member;
DROP TABLE directory_key;
DROP TABLE directory_entry;
