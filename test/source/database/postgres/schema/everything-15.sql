-- What PostgreSQL 15 added.
CREATE TABLE app.not_distinct (a integer, UNIQUE NULLS NOT DISTINCT (a));
CREATE UNLOGGED SEQUENCE app.fleeting;
CREATE VIEW app.invoker WITH (security_invoker = true) AS SELECT id FROM app.person;
