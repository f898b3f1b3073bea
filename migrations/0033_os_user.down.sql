DROP TABLE operator_os_user;
