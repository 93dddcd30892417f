-- What PostgreSQL 18 added.
CREATE TABLE app.named_not_null (a integer CONSTRAINT must NOT NULL, b integer CONSTRAINT "named_not_null_b_not_null" NOT NULL NO INHERIT, c integer, v integer GENERATED ALWAYS AS (a + 1) VIRTUAL);
ALTER TABLE app.named_not_null ADD CONSTRAINT later NOT NULL c NOT VALID;
CREATE TABLE app.named_child (CONSTRAINT own NOT NULL a, d integer) INHERITS (app.named_not_null);
ALTER TABLE app.named_not_null ADD CONSTRAINT unenforced CHECK (a > b) NOT ENFORCED;
ALTER TABLE app.event_note ADD CONSTRAINT lax FOREIGN KEY (event) REFERENCES app.person (id) NOT ENFORCED;
CREATE DOMAIN app.named_domain AS integer CONSTRAINT named NOT NULL;
CREATE TABLE app.periods (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE app.kept (x text STORAGE EXTERNAL);
