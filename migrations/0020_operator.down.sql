DROP TABLE operator_role;
