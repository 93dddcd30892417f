-- What PostgreSQL 16 and 17 added.
CREATE TABLE app.parts (id integer GENERATED ALWAYS AS IDENTITY, k integer) PARTITION BY LIST (k);
CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES IN (1);
CREATE TABLE app.external (x text STORAGE EXTERNAL);
