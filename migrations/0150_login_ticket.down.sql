DROP TABLE login_ticket;
