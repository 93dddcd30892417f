import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../support/postgres-schema.ts';

const never = new AbortController().signal;

/** What it is, how it is made, how it is changed before it is put back, and the first version that has it. */
const RARE: readonly (readonly [string, readonly string[], readonly string[], number])[] = [
  [
    'types that few columns have',
    [
      `CREATE TABLE rare (a aclitem[], v int2vector, o oidvector, s txid_snapshot, r refcursor, b bpchar, n name[], bv bit varying(3)[])`,
      `INSERT INTO rare VALUES (ARRAY['=r/' || current_user]::aclitem[], '1 2 -3', '4294967295 0', '10:20:10,14', 'a "cursor"', 'pad   ', '{"a b",NULL}', '{1,"",NULL,101}')`,
      `INSERT INTO rare (b, v, o) VALUES ('', '', '')`,
    ],
    ['DELETE FROM rare', 'ALTER TABLE rare DROP COLUMN b'],
    13,
  ],
  [
    'numerics whose scale is negative or beyond their precision',
    [
      'CREATE TABLE scaled (n numeric(3,-2), m numeric(3,5))',
      `INSERT INTO scaled VALUES (99900, 0.00999), (-100, -0.00001), ('NaN', 0)`,
    ],
    ['UPDATE scaled SET n = 0'],
    15,
  ],
  [
    'intervals without an end',
    [
      'CREATE TABLE wait (i interval, a interval[])',
      `INSERT INTO wait VALUES ('infinity', '{-infinity,NULL}')`,
    ],
    ['DROP TABLE wait'],
    17,
  ],
  [
    'documents of XML, with declaration and document type, for a role that reads XML as documents',
    [
      'CREATE TABLE page (x xml, a xml[])',
      `INSERT INTO page VALUES ('<?xml version="1.0" standalone="yes"?><a b="&lt;"> </a>', ARRAY['<!DOCTYPE a><a/>'::xml, NULL])`,
      `INSERT INTO page VALUES ('just text, no root', NULL)`,
      'ALTER ROLE CURRENT_USER SET xmloption = document',
    ],
    ['DELETE FROM page'],
    13,
  ],
  [
    'domains over domains over composites of composites, ranges of domains, arrays of all',
    [
      'CREATE DOMAIN small AS int CHECK (VALUE < 100)',
      'CREATE DOMAIN tiny AS small CHECK (VALUE < 10) NOT NULL',
      'CREATE TYPE inner_pair AS (a small, "B c" text[])',
      'CREATE TYPE outer_pair AS (one inner_pair, many inner_pair[], at tstzrange)',
      'CREATE DOMAIN checked AS outer_pair CHECK (VALUE IS NULL OR (VALUE).at IS NOT NULL)',
      'CREATE TABLE deep (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t tiny DEFAULT 1, c checked, all_of checked[])',
      `INSERT INTO deep (c, all_of) SELECT v, ARRAY[v, NULL] FROM (SELECT ROW(ROW(5, ARRAY['q"', NULL, '\\', ''])::inner_pair, ARRAY[ROW(NULL, '{}')::inner_pair, NULL], '[2024-01-01,)')::outer_pair::checked AS v) AS made`,
      'INSERT INTO deep (t) VALUES (9)',
    ],
    ['DROP DOMAIN small CASCADE'],
    13,
  ],
  [
    'exclusion constraints, deferred too, over rows that only just fit, and keys that were never checked',
    [
      'CREATE TABLE stay (id int PRIMARY KEY, room int, span int4range, EXCLUDE USING gist (span WITH &&) WHERE (room = 1) DEFERRABLE INITIALLY DEFERRED)',
      `INSERT INTO stay SELECT n, 1, int4range(n, n + 1) FROM generate_series(1, 200) AS n`,
      `INSERT INTO stay VALUES (300, 2, '[1,99)')`,
      'CREATE TABLE guest (stay_id int, self int UNIQUE)',
      'INSERT INTO guest VALUES (999, 1), (1, 2)',
      'ALTER TABLE guest ADD CONSTRAINT to_stay FOREIGN KEY (stay_id) REFERENCES stay NOT VALID',
      'ALTER TABLE guest ADD CONSTRAINT to_self FOREIGN KEY (self) REFERENCES guest (self) DEFERRABLE',
    ],
    ['ALTER TABLE guest DROP CONSTRAINT to_stay', 'DELETE FROM stay WHERE id > 5', 'DROP TABLE guest'],
    13,
  ],
  [
    'columns that are computed when they are read',
    [
      'CREATE TABLE computed (a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, kept int GENERATED ALWAYS AS (a + 1) STORED, b text)',
      `INSERT INTO computed (a, b) VALUES (1, 'x'), (NULL, NULL)`,
    ],
    ['ALTER TABLE computed DROP COLUMN twice', 'DELETE FROM computed WHERE a = 1'],
    18,
  ],
];

describe('rare things come back', () => {
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

  it.each(RARE)('into an empty database, and over what became of it: %s', async (_, made, changes, since) => {
    const [version] = await from.query("SELECT current_setting('server_version_num')");
    if (Number(version?.[0]) < since * 10_000) return;
    await from.execute(...made);
    const source = openPostgres(from.url);
    const taken = await take(source);
    const script = await scriptOf(from.url);
    expect(script.notCarried).toEqual([]);
    const tables = taken.tables.filter((table) => table.implicit !== true);
    const rows = await contents(from.adminUrl, tables);
    await putBack(openPostgres(to.url), taken, { schema: { mode: 'CREATE', script } });
    await putBack(source, taken);
    await from.execute(...changes);
    await putBack(source, taken, { schema: { mode: 'REPLACE', script } });
    for (const database of [to, from]) {
      expect(await contents(database.adminUrl, tables)).toEqual(rows);
      expect(await scriptOf(database.url)).toEqual(script);
      expect((await take(openPostgres(database.url))).rows).toEqual(taken.rows);
    }
  });

  it('in columns of every type there is, with nothing in them', async () => {
    // Pseudo-types, and what only the catalog may hold, make no columns.
    const types = await from.query(
      `SELECT format_type(t.oid, -1) FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typisdefined
          AND t.typtype IN ('b', 'r', 'm') AND t.typrelid = 0 ORDER BY t.oid`,
    );
    const made: string[] = [];
    for (const [type] of types) {
      const refused = await from.execute(`CREATE TABLE probe (c ${type})`).then(
        () => false,
        () => true,
      );
      if (refused) continue;
      await from.execute('DROP TABLE probe');
      made.push(type ?? '');
    }
    expect(made.length).toBeGreaterThan(120);
    expect(made).toContain('refcursor');
    await from.execute(
      `CREATE TABLE every_type (${made.map((type, n) => `c${n} ${type}`).join(', ')})`,
      'INSERT INTO every_type DEFAULT VALUES',
    );
    const source = openPostgres(from.url);
    const taken = await take(source);
    expect(
      JSON.parse(String(taken.rows[taken.tables.findIndex(({ name }) => name === 'every_type')])),
    ).toEqual(Object.fromEntries(made.map((_, n) => [`c${n}`, null])));
    await putBack(source, taken);
    expect((await take(source)).rows).toEqual(taken.rows);
  });

  it('beside a foreign table of a server that is not there: named as left out, never asked', async () => {
    await from.asAdmin(
      'CREATE EXTENSION postgres_fdw',
      "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', connect_timeout '1')",
      'CREATE USER MAPPING FOR PUBLIC SERVER far',
      'CREATE FOREIGN TABLE public.abroad (id int) SERVER far',
      'CREATE TABLE public.here (id int PRIMARY KEY)',
      'CREATE FOREIGN TABLE public.child_abroad () INHERITS (public.here) SERVER far',
      'INSERT INTO public.here VALUES (1), (2)',
    );
    const source = openPostgres(from.adminUrl);
    const { leftOut, tables } = await source.describe(never);
    for (const name of ['public.abroad', 'public.child_abroad']) {
      expect(leftOut).toContainEqual({ name, reason: expect.stringContaining('foreign table') });
    }
    expect(tables.filter((table) => table.implicit !== true).map(({ name }) => name)).toEqual(['here']);
    const taken = await take(source);
    expect(taken.rows.map(String)).toContain('{"id":1}\n{"id":2}\n');
    expect(await source.countRows([{ schema: 'public', name: 'here' }], never)).toEqual([2]);
    await from.asAdmin('DELETE FROM ONLY public.here');
    await putBack(source, taken);
    expect(await from.query('SELECT id::text FROM ONLY public.here ORDER BY id')).toEqual([['1'], ['2']]);
  });

  it('without event triggers being told of a restore, which bring themselves back as they were', async () => {
    // Older servers cannot silence them.
    const [version] = await from.query("SELECT current_setting('server_version_num')");
    if (Number(version?.[0]) < 170_000) return;
    await from.asAdmin(
      'CREATE TABLE public.told (what text)',
      'CREATE TABLE public.item (id int PRIMARY KEY, v text)',
      "INSERT INTO public.item VALUES (1, 'x')",
      `CREATE FUNCTION public.tell() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.told VALUES (tg_tag); END $$`,
      'CREATE EVENT TRIGGER on_any ON ddl_command_end EXECUTE FUNCTION public.tell()',
      'CREATE EVENT TRIGGER on_drop ON sql_drop EXECUTE FUNCTION public.tell()',
      'ALTER EVENT TRIGGER on_drop ENABLE ALWAYS',
    );
    const source = openPostgres(from.adminUrl);
    const script = await scriptOf(from.adminUrl);
    const before = await from.query('SELECT count(*) FROM public.told');
    const taken = await take(source, ['item']);
    await putBack(source, taken);
    expect(await from.query('SELECT count(*) FROM public.told')).toEqual(before);
    expect(await scriptOf(from.adminUrl)).toEqual(script);
    const whole = await take(source);
    await from.asAdmin('ALTER TABLE public.item DROP COLUMN v', 'ALTER EVENT TRIGGER on_any DISABLE');
    await putBack(source, whole, { schema: { mode: 'REPLACE', script } });
    expect(await from.query('SELECT count(*) FROM public.told')).toEqual(before);
    expect(await from.query('SELECT v FROM public.item')).toEqual([['x']]);
    expect(await scriptOf(from.adminUrl)).toEqual(script);
  });
});
