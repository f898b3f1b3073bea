DROP TABLE login_consecutive;
