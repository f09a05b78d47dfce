CREATE TABLE rain(city TEXT, year INT, amount REAL);
INSERT INTO rain VALUES ('Köln', 2020, 3), ('Köln', 2021, 5), ('Bonn', 2021, 4);
SELECT city, avg(amount) OVER (PARTITION BY city) FROM rain ORDER BY city, year;
SELECT json_group_array(year) FROM rain WHERE city = 'Köln';
CREATE VIRTUAL TABLE text USING fts5(body);
INSERT INTO text VALUES ('the quick fox');
SELECT highlight(text, 0, '[', ']') FROM text('quick');
.once out.csv
SELECT * FROM rain;
.shell wc -l < out.csv
-- Output:
-- Bonn|4.0
-- Köln|4.0
-- Köln|4.0
-- [2020,2021]
-- the [quick] fox
-- 3
