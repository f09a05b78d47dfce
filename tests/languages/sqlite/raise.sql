SELECT * FROM "boom é";
