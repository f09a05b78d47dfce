SELECT 'hello';
.read sub/helper.sql
CREATE TABLE file(line);
.mode list
.import data/in.txt file
SELECT * FROM file;
SELECT größe FROM helper;
CREATE TABLE input(line);
.import /dev/stdin input
SELECT * FROM input;
.exit 3
