CREATE TABLE helper(größe);
INSERT INTO helper VALUES ('héllo ☃ from sub');
