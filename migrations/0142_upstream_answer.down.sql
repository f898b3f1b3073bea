DROP TABLE upstream_answer;
