import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';

const never = new AbortController().signal;

describe('values that pass through row lines', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    await database.execute(
      `CREATE SCHEMA "Other Schema"`,
      `CREATE TYPE mood AS ENUM ('sad', 'o''k', 'very "happy"')`,
      `CREATE TYPE "Other Schema".point3 AS (x integer, label text, "Z z" numeric)`,
      `CREATE DOMAIN positive AS integer CHECK (VALUE > 0)`,
      `CREATE DOMAIN small_positive AS positive CHECK (VALUE < 1000)`,
      `CREATE DOMAIN moods AS mood`,
      `CREATE DOMAIN day AS date`,
      `CREATE DOMAIN tags AS text[]`,
      `CREATE DOMAIN document AS jsonb`,
      `CREATE TYPE float_range AS RANGE (subtype = float8)`,
      // A cast to json is what row_to_json would prefer to the text of the type.
      `CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT ''{"lossy":true}''::json'`,
      `CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood)`,
      `CREATE TABLE "Other Schema"."Every Type ""书""" (
         i2 int2, i4 int4, i8 int8, n numeric, n2 numeric(1000, 5), f4 float4, f8 float8, b boolean,
         t text, v varchar(20), c char(7), one "char", nm name, u uuid, by bytea,
         d date, tm time, tmtz timetz, ts timestamp, tstz timestamptz, iv interval,
         j json, jb jsonb, x xml, ip inet, net cidr, mac macaddr, money money,
         bits bit(5), vbits varbit, vec tsvector, q tsquery, pt point, poly polygon, rc regclass,
         r int4range, mr int4multirange, fr float_range, tr tstzrange,
         ai int[], at text[], ad date[], aj jsonb[], am mood[],
         m mood, comp "Other Schema".point3, acomp "Other Schema".point3[],
         dp positive, dsp small_positive, dm moods, dd day, dt tags, dj document,
         "select" text, r1 text, "Mixed Case" text, "quo""te" text, "日本語" text, "new
line" text, "back\\slash" text, "{""key"":" text
       )`,
      `INSERT INTO "Other Schema"."Every Type ""书""" VALUES (
         -32768, 2147483647, 9223372036854775807, (repeat('9', 1000) || '.' || repeat('1', 200))::numeric, 1.50000, 1.17549435e-38, 0.1::float8 + 0.2, true,
         E'tab\\t newline\\n cr\\r quote" back\\\\slash \\u0001 \\u007f 书 🎉 \\\\N \\\\. {"a":1}', '', 'pad', 'x', 'a name', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff5c22'::bytea,
         '0044-03-15 BC', '24:00:00', '12:00:00.000001+05:30', '2024-02-29 23:59:59.999999', '1883-11-18 12:03:57.123456-07:52:58', '1 year -2 mons 3 days -04:05:06.789012',
         '{"a":1,  "a":2, "n":1.00}', '{"b":[1.10,null]}', '<a>&amp;</a>', '10.1.2.3', '10.0.0.0/8', '08:00:2b:01:02:03', '$1,234.56'::money,
         B'10101', B'', 'fat:1A cat:2 ''it''''s'':3', 'fat & (rat | !cat)', '(1.5,-0)', '((0,0),(1,1),(2,0))', 'pg_catalog.pg_class',
         '[1,5)', '{[1,3),[7,9)}', '[-infinity,0.1)', '["2024-01-01 00:00:00+02",)',
         '[0:1]={5,6}', '{NULL,"NULL","",a\\\\b,"q\\"q"}', '{{2024-01-01,infinity},{-infinity,2024-12-31}}', ARRAY['null'::jsonb, NULL, '{"a": 1}'], '{sad,"very \\"happy\\""}',
         'very "happy"', ROW(1, 'a,"b', 1.10), ARRAY[ROW(NULL, '', 'NaN')::"Other Schema".point3],
         7, 999, 'o''k', 'infinity', '{a,NULL}', 'null', 'keyword', 'one row', 'Mixed', 'q', '日本', 'n', 'b', 'k')`,
      `INSERT INTO "Other Schema"."Every Type ""书""" (n, f4, f8, d, ts, tstz, iv, t, j, jb, dp, ai, c)
       VALUES ('NaN', 'NaN', 'Infinity', 'infinity', '-infinity', 'infinity', '0', NULL, 'null', 'null', 1, '{}', '')`,
      `INSERT INTO "Other Schema"."Every Type ""书""" (n, f4, f8, jb, j) VALUES ('-Infinity', '-0', '-0', NULL, NULL), (-0.000, 1e20, -1e-300, '"null"', '"null"')`,
      `CREATE TABLE ordinary (id int GENERATED ALWAYS AS IDENTITY, doubled int GENERATED ALWAYS AS (base * 2) STORED, base int, gone int, "r" int, "t" int)`,
      'ALTER TABLE ordinary DROP COLUMN gone',
      'INSERT INTO ordinary (base, r, t) VALUES (1, 2, 3), (5, NULL, NULL)',
      'CREATE TABLE no_columns ()',
      'INSERT INTO no_columns DEFAULT VALUES',
      'INSERT INTO no_columns DEFAULT VALUES',
      `CREATE TABLE one_text (only_column text)`,
      `INSERT INTO one_text VALUES (''), (NULL), ('\\.'), ('\\N')`,
    );
    // Whatever the application set for itself, values come out the same.
    await database.asAdmin(
      `ALTER ROLE ${database.owner} SET DateStyle = 'SQL, DMY'`,
      `ALTER ROLE ${database.owner} SET IntervalStyle = 'iso_8601'`,
      `ALTER ROLE ${database.owner} SET bytea_output = 'escape'`,
      `ALTER ROLE ${database.owner} SET extra_float_digits = -15`,
      `ALTER ROLE ${database.owner} SET TimeZone = 'Asia/Kathmandu'`,
      `ALTER ROLE ${database.owner} SET standard_conforming_strings = off`,
    );
  });
  afterAll(() => database.dispose());

  it('are the same to the last byte after a round trip, for every type', async () => {
    const source = openPostgres(database.url);
    const taken = await take(source);
    expect(taken.tables.map((table) => table.name).sort()).toEqual([
      'Every Type "书"',
      'no_columns',
      'one_text',
      'ordinary',
    ]);
    const before = await contents(database.adminUrl, taken.tables);
    await database.execute(
      'DELETE FROM "Other Schema"."Every Type ""书"""',
      'DELETE FROM ordinary WHERE base = 1',
      'DELETE FROM no_columns',
      'DELETE FROM one_text',
    );
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect((await take(source)).rows).toEqual(taken.rows);
  });

  it('are valid JSON with numbers as numbers and everything special as the text of its type', async () => {
    const taken = await take(openPostgres(database.url), ['Every Type "书"']);
    const text = taken.rows[0]?.toString('utf8') ?? '';
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    const [first, second] = lines.map((line): Record<string, unknown> => JSON.parse(line));
    expect(first).toMatchObject({
      i4: 2147483647,
      b: true,
      c: 'pad    ',
      by: '\\x00ff5c22',
      d: '0044-03-15 BC',
      ts: '2024-02-29 23:59:59.999999',
      j: '{"a":1,  "a":2, "n":1.00}',
      ip: '10.1.2.3',
      iv: '10 mons 3 days -04:05:06.789012',
      rc: 'pg_class',
      ai: '[0:1]={5,6}',
      m: 'very "happy"',
      comp: '(1,"a,""b",1.10)',
      dp: 7,
      dd: 'infinity',
      dj: 'null',
    });
    expect(text).toContain('"i8":9223372036854775807,');
    expect(text).toContain(`"n":${'9'.repeat(1000)}.${'1'.repeat(200)},`);
    expect(text).toContain('"n2":1.50000,');
    expect(text).toContain('"f8":-0,');
    expect(second).toMatchObject({ n: 'NaN', f8: 'Infinity', t: null, j: 'null', jb: 'null' });
  });

  it('come with column types, defaults and generated columns as the catalog has them', async () => {
    const { tables } = await openPostgres(database.url).describe(never);
    const ordinary = tables.find((table) => table.name === 'ordinary');
    expect(ordinary?.columns).toEqual([
      { name: 'id', type: 'integer', nullable: false, hasDefault: true, generated: false },
      { name: 'doubled', type: 'integer', nullable: true, hasDefault: false, generated: true },
      { name: 'base', type: 'integer', nullable: true, hasDefault: false, generated: false },
      { name: 'r', type: 'integer', nullable: true, hasDefault: false, generated: false },
      { name: 't', type: 'integer', nullable: true, hasDefault: false, generated: false },
    ]);
    const every = tables.find((table) => table.schema === 'Other Schema');
    expect(every?.columns.find((column) => column.name === 'comp')?.type).toBe('"Other Schema".point3');
    expect(every?.columns.find((column) => column.name === 'v')?.type).toBe('character varying(20)');
  });
});
