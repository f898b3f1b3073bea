DROP TABLE proxy_request;
