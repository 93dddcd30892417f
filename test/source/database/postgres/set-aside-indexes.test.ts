import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';

/** Everything that hangs on an index or constraint. */
const INDEXES = `
SELECT i.indrelid::regclass::text, c.relname::text, pg_get_indexdef(c.oid), c.reltablespace::text,
       obj_description(c.oid, 'pg_class'),
       concat_ws(' ', i.indisprimary, i.indisunique, i.indisclustered, i.indisreplident, i.indisvalid, c.relispartition),
       (SELECT string_agg(attnum || '=' || coalesce(attstattarget, -1), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid),
       t.relreplident::text
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'Odd Schema'))
UNION ALL
SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), conindid::regclass::text, obj_description(oid, 'pg_constraint'),
       concat_ws(' ', contype, convalidated, condeferrable, condeferred, conislocal, coninhcount, connoinherit), '', ''
  FROM pg_constraint WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'Odd Schema'))
UNION ALL
SELECT attrelid::regclass::text, attname::text, attnotnull::text, '', '', '', '', ''
  FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace)
ORDER BY 1, 2, 3`;

async function identities(
  database: TestDatabase,
): Promise<Map<string | null | undefined, string | null | undefined>> {
  const rows = await database.query(
    `SELECT indexrelid::regclass::text, indexrelid::text FROM pg_index
      WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'Odd Schema')))`,
  );
  return new Map(rows.map(([name, oid]) => [name, oid]));
}

describe('indexes of tables that are replaced by many rows', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
  });
  afterEach(() => database.dispose());

  it('are made anew behind the rows, exactly as they were, or stay where that cannot be', async () => {
    await database.execute(
      'CREATE SCHEMA "Odd Schema"',
      'CREATE FUNCTION own(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) $$',
      `CREATE TABLE item (id int PRIMARY KEY, code text NOT NULL, span int4range, n int, parent int REFERENCES item,
         CONSTRAINT "Unique ""code""" UNIQUE (code, n) INCLUDE (parent) DEFERRABLE INITIALLY DEFERRED,
         CONSTRAINT apart EXCLUDE USING gist (span WITH &&),
         CONSTRAINT filled UNIQUE (n, code) WITH (fillfactor = 50))`,
      `INSERT INTO item SELECT i, 'code ' || i, int4range(i, i + 1), i % 7, nullif(i - 1, 0) FROM generate_series(1, 6000) i`,
      `CREATE INDEX "Mixed ""Name""" ON item USING btree (n DESC NULLS LAST, code COLLATE "C" text_pattern_ops) WITH (fillfactor = 70) WHERE n > 2`,
      'CREATE UNIQUE INDEX identity ON item (code)',
      'CREATE INDEX expression ON item ((n + 1), lower(code))',
      'ALTER INDEX expression ALTER COLUMN 1 SET STATISTICS 500',
      'CREATE INDEX hashed ON item USING hash (code)',
      'CREATE INDEX brin ON item USING brin (id) WITH (pages_per_range = 4)',
      'CREATE INDEX calls_own ON item (own(code))',
      'ALTER TABLE item CLUSTER ON expression',
      'ALTER TABLE item REPLICA IDENTITY USING INDEX identity',
      `COMMENT ON INDEX "Mixed ""Name""" IS 'it''s \\ odd'`,
      `COMMENT ON INDEX item_pkey IS 'of the key'`,
      `COMMENT ON CONSTRAINT item_pkey ON item IS 'the key'`,
      'CREATE TABLE "Odd Schema"."T.1" (id uuid PRIMARY KEY, text text)',
      `INSERT INTO "Odd Schema"."T.1" SELECT md5(i::text)::uuid, repeat('x', 50) FROM generate_series(1, 6000) i`,
      'CREATE INDEX ON "Odd Schema"."T.1" (text)',
      'CREATE TABLE grouped (id int PRIMARY KEY, label text)',
      `INSERT INTO grouped SELECT i, repeat('y', 60) FROM generate_series(1, 6000) i`,
      'CREATE VIEW by_key AS SELECT id, label, count(*) AS n FROM grouped GROUP BY id',
      'CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2030-01-01')",
      'CREATE INDEX parted_at ON parted (at)',
      `INSERT INTO parted SELECT i, '2024-01-01'::date + i % 1000 FROM generate_series(1, 9000) i`,
      'CREATE TABLE small (id int PRIMARY KEY)',
      'INSERT INTO small VALUES (1)',
    );
    const before = await database.query(INDEXES);
    const taken = await take(source);
    const rows = await contents(database.adminUrl, taken.tables);
    const old = await identities(database);
    await database.execute(
      'DELETE FROM item WHERE id > 10',
      'DELETE FROM grouped',
      'TRUNCATE "Odd Schema"."T.1", parted',
    );
    await putBack(source, taken);
    expect(await database.query(INDEXES)).toEqual(before);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(rows);
    const now = await identities(database);
    const stayed = [...now].filter(([name, oid]) => old.get(name) === oid).map(([name]) => name);
    expect(stayed.sort()).toEqual([
      'calls_own',
      'filled',
      'grouped_pkey',
      'parted_1_at_idx',
      'parted_1_pkey',
      'parted_at',
      'parted_pkey',
      'small_pkey',
    ]);
    // They work: a duplicate is refused, a lookup finds its row.
    await expect(database.execute("INSERT INTO item (id, code) VALUES (1, 'z')")).rejects.toThrow(
      'item_pkey',
    );
  });

  it('tell of a key that stands twice, and nothing is changed', async () => {
    await database.execute(
      'CREATE TABLE item (id int, code text)',
      `INSERT INTO item SELECT i % 5999, repeat('x', 60) FROM generate_series(1, 6000) i`,
    );
    const taken = await take(source);
    await database.execute('DELETE FROM item WHERE id <> 7', 'ALTER TABLE item ADD PRIMARY KEY (id)');
    await expect(putBack(source, taken)).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/public\.item.*item_pkey.*\(id\)=\(1\)/s),
    });
    expect(await database.query('SELECT id::text FROM item')).toEqual([['7']]);
    expect(
      await database.query("SELECT conname::text FROM pg_constraint WHERE contype = 'p'"),
    ).toContainEqual(['item_pkey']);
  });

  it('stay where event triggers are about that this user cannot silence', async () => {
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY, code text)',
      `INSERT INTO item SELECT i, repeat('x', 60) FROM generate_series(1, 6000) i`,
    );
    const taken = await take(source);
    await database.asAdmin(
      `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL'; END $$`,
      "CREATE EVENT TRIGGER no_indexes ON ddl_command_start WHEN TAG IN ('CREATE INDEX', 'DROP INDEX', 'ALTER TABLE') EXECUTE FUNCTION refuse()",
    );
    const old = await identities(database);
    await putBack(source, taken);
    expect(await identities(database)).toEqual(old);
  });

  it('stay where the tables belong to somebody else, who let this user replace the rows', async () => {
    await database.asAdmin(
      'CREATE TABLE item (id int PRIMARY KEY, code text UNIQUE)',
      `INSERT INTO item SELECT i, repeat('x', 60) || i FROM generate_series(1, 6000) i`,
      `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON item TO ${database.owner}`,
    );
    const taken = await take(source);
    const rows = await contents(database.adminUrl, taken.tables);
    await database.asAdmin('DELETE FROM item WHERE id > 7');
    const old = await identities(database);
    await putBack(source, taken);
    expect(await identities(database)).toEqual(old);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(rows);
  });
});
