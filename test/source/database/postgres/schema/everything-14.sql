-- What PostgreSQL 14 added.
CREATE FUNCTION app.atomic(n integer) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM app.person WHERE id > n; SELECT 1::bigint; END;
CREATE STATISTICS app.by_expression ON (price * 2), name FROM app.person;
CREATE TABLE app.squeezed (t text COMPRESSION pglz);
CREATE TYPE app.numbers AS RANGE (subtype = numeric, multirange_type_name = app.many_numbers);
CREATE TABLE app.ranges (m app.many_numbers DEFAULT '{}');
