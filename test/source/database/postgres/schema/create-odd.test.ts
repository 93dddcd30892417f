import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../../support/postgres-schema.ts';

const never = new AbortController().signal;
const manyColumns = Array.from({ length: 1_600 }, (_, n) => `"c ${n}.é" int`).join(', ');

/** What it is, how it is made, and how it is changed before it is put back. */
const ODD: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'a table of 1,600 columns',
    [`CREATE TABLE wide (${manyColumns})`, 'INSERT INTO wide ("c 0.é", "c 1599.é") VALUES (1, 2)'],
    ['ALTER TABLE wide RENAME "c 7.é" TO seven'],
  ],
  [
    'tables without columns, and with none but generated ones',
    [
      'CREATE TABLE none ()',
      'INSERT INTO none SELECT FROM generate_series(1, 3)',
      'CREATE TABLE made (n int GENERATED ALWAYS AS (7) STORED)',
      'INSERT INTO made SELECT FROM generate_series(1, 4)',
    ],
    ['DELETE FROM none', 'ALTER TABLE made ADD m int'],
  ],
  [
    'names of every script, with quotes, dots, slashes and line ends',
    [
      'CREATE SCHEMA "Ünï.cödé/表"',
      `CREATE TYPE "Ünï.cödé/表"."ty""pe" AS ENUM ('ä', '😀', 'it''s')`,
      `CREATE TABLE "Ünï.cödé/表"."a
b" ("""" "Ünï.cödé/表"."ty""pe" PRIMARY KEY, "$1" text, "select" int GENERATED ALWAYS AS IDENTITY)`,
      `INSERT INTO "Ünï.cödé/表"."a
b" ("""", "$1") VALUES ('😀', 'x'), ('it''s', E'a\\\\b\\t')`,
      `COMMENT ON TABLE "Ünï.cödé/表"."a
b" IS 'of; many''; COMMIT; words'`,
    ],
    ['DROP SCHEMA "Ünï.cödé/表" CASCADE'],
  ],
  [
    'partitions below partitions, with keys, identity and many rows',
    [
      `CREATE TABLE kind (id int PRIMARY KEY)`,
      `CREATE TABLE part (id int NOT NULL, k int REFERENCES kind, at date NOT NULL, t text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
      `CREATE TABLE part_old PARTITION OF part FOR VALUES FROM ('2000-01-01') TO ('2020-01-01')`,
      `CREATE TABLE part_new PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2040-01-01') PARTITION BY HASH (id)`,
      'CREATE TABLE part_new_0 PARTITION OF part_new FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
      'CREATE TABLE part_new_1 PARTITION OF part_new FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
      'CREATE INDEX part_t ON part (t)',
      'CREATE TABLE points (id int, at date, FOREIGN KEY (id, at) REFERENCES part DEFERRABLE)',
      'INSERT INTO kind SELECT generate_series(0, 9)',
      `INSERT INTO part SELECT n, n % 10, date '2010-01-01' + n % 9000, repeat('x', 50) || n FROM generate_series(1, 20000) AS n`,
      'INSERT INTO points SELECT id, at FROM part LIMIT 50',
      'CREATE MATERIALIZED VIEW years AS SELECT extract(year FROM at) AS year, count(*) FROM part GROUP BY 1',
    ],
    [
      'DELETE FROM points',
      'ALTER TABLE part DETACH PARTITION part_old',
      'DELETE FROM part_new',
      'DROP TABLE part_old',
    ],
  ],
  [
    'circles of keys, not deferrable ones too',
    [
      'CREATE TABLE a (id int PRIMARY KEY, b int)',
      'CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, own int REFERENCES b DEFERRABLE INITIALLY DEFERRED)',
      'ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b',
      'INSERT INTO a VALUES (1, NULL), (2, NULL)',
      'INSERT INTO b VALUES (1, 2, 2), (2, 1, 1)',
      'UPDATE a SET b = id',
    ],
    ['DROP TABLE a CASCADE', 'DELETE FROM b'],
  ],
  [
    'sequences that columns own, share or count down by',
    [
      'CREATE SEQUENCE shared AS bigint INCREMENT -3 MINVALUE -1000 MAXVALUE 50 START 50 CYCLE',
      `CREATE TABLE s (id serial PRIMARY KEY, n bigint DEFAULT nextval('shared'), a int GENERATED ALWAYS AS IDENTITY (INCREMENT 5), d smallserial)`,
      'INSERT INTO s SELECT FROM generate_series(1, 4)',
      'CREATE SEQUENCE of_s OWNED BY s.n',
      `SELECT setval('of_s', 9223372036854775807, false)`,
    ],
    ['DROP TABLE s', 'ALTER SEQUENCE shared INCREMENT 1'],
  ],
  [
    'large objects beside tables',
    [
      'CREATE TABLE file (id int PRIMARY KEY, content oid)',
      `INSERT INTO file SELECT n, lo_from_bytea(0, convert_to(repeat('large ' || n, 30000), 'UTF8')) FROM generate_series(1, 3) AS n`,
      'INSERT INTO file SELECT 4, lo_create(0)',
    ],
    ['SELECT lo_unlink(content) FROM file WHERE id = 2', 'DROP TABLE file', 'SELECT lo_create(0)'],
  ],
  [
    'checks and generated columns that call functions by names of the application, over domains and composites',
    [
      `CREATE FUNCTION doubled(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'`,
      'CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0)',
      'CREATE TYPE pair AS (l even, r text[])',
      'CREATE DOMAIN pairs AS pair[] CHECK (array_length(VALUE, 1) < 5)',
      'CREATE TABLE v (n int CHECK (doubled(n) > 0), m int GENERATED ALWAYS AS (doubled(n)) STORED, e even, p pairs)',
      `INSERT INTO v (n, e, p) VALUES (1, 2, ARRAY[ROW(4, ARRAY['x', NULL])::pair]), (2, NULL, '{}')`,
      'CREATE INDEX v_doubled ON v (doubled(n))',
    ],
    ['DROP DOMAIN pairs CASCADE', 'ALTER TABLE v DROP COLUMN m'],
  ],
];

describe('an odd database comes back', () => {
  let from: TestDatabase;
  let to: TestDatabase;
  beforeEach(async () => {
    from = await createTestDatabase(inject('postgresUrl'));
    to = await createTestDatabase(inject('postgresUrl'));
  });
  afterEach(async () => {
    await to.dispose();
    await from.dispose();
  });

  it.each(ODD)('into an empty one, and over what became of it: %s', async (_, made, changes) => {
    await from.execute(...made);
    const source = openPostgres(from.url);
    const taken = await take(source);
    const script = await scriptOf(from.url);
    // Large objects are no table to COPY.
    const tables = taken.tables.filter((table) => table.implicit !== true);
    const objects = 'SELECT oid::text, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid';
    const rows = [await contents(from.adminUrl, tables), await from.query(objects)];

    await putBack(openPostgres(to.url), taken, { schema: { mode: 'CREATE', script } });
    await from.execute(...changes);
    await putBack(source, taken, { schema: { mode: 'REPLACE', script } });

    for (const database of [to, from]) {
      expect(await scriptOf(database.url)).toEqual(script);
      expect([await contents(database.adminUrl, tables), await database.query(objects)]).toEqual(rows);
      const again = await take(openPostgres(database.url));
      expect(again.rows).toEqual(taken.rows);
      expect(again.sequences).toEqual(taken.sequences);
      expect((await openPostgres(database.url).describe(never)).empty).toBe(false);
    }
  });
});
