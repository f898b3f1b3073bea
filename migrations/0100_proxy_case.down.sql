DROP TABLE proxy_case;
