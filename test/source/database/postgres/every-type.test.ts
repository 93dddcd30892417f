import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';
import type { TakenTables } from '../../../support/taken-tables.ts';

/** Literals of each type that something could go wrong with. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  bool: ['true', 'false'],
  int2: ['-32768', '32767'],
  int4: ['-2147483648', '0'],
  int8: ['-9223372036854775808', '9223372036854775807'],
  numeric: [
    `-${'9'.repeat(1000)}.${'7'.repeat(300)}`,
    '0.000',
    '-0.0',
    'NaN',
    '1e-300',
    '1e300',
    'Infinity',
    '-Infinity',
  ],
  'numeric(12,3)': ['NaN', '999999999.999', '-0.001'],
  float4: ['1.17549435e-38', '3.4028235e38', '-0', 'NaN', 'Infinity', '-Infinity', '0.1'],
  float8: ['5e-324', '1.7976931348623157e308', '-0', 'NaN', 'Infinity', '-Infinity', '0.1'],
  money: ['-92233720368547758.08', '1234.56'],
  text: ['', ' ', 'null', '\\N', '\\.', '"\\/\b\f\n\r\t\u0001\u001f\u007f\u0085\u2028', '🎉書é', "'$1%s{}[]"],
  'varchar(5)': ['', 'a"b\\c'],
  'char(6)': ['', 'a', 'é"\\'],
  '"char"': ['x', '"', '\\', ''],
  name: ['Name "quoted"'],
  bytea: ['\\x', '\\x00ff0a5c22', '\\x5c5c'],
  date: ['0044-03-15 BC', '5874897-12-31', 'infinity', '-infinity', '2024-02-29'],
  time: ['00:00:00.000001', '24:00:00'],
  timetz: ['12:00:00.123456+15:59:59', '24:00:00-15:59:59'],
  timestamp: ['4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', 'infinity', '-infinity'],
  timestamptz: [
    '4713-01-02 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
    '1883-11-18 12:03:57.1-07:52:58',
    'infinity',
  ],
  interval: ['-178000000 years', '1 year -2 mons 3 days -04:05:06.789012', '0'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  json: ['{"a":1,  "a":2,\n\t"n":1.00}', 'null', '"\\u0041\\n"', '[ ]'],
  jsonb: ['null', '{"b":[1.10,null,"q\\"\\\\"]}', '"text"', '1e400'],
  jsonpath: ['$."a b"[*] ? (@ > 1)'],
  xml: ['<a>&amp;<!-- "x" --></a>', 'no root <b/>'],
  inet: ['10.1.2.3', '10.1.2.3/24', '::ffff:1.2.3.4/128', 'fe80::1/64'],
  cidr: ['10.0.0.0/8', '::/0'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  'bit(5)': ['10101'],
  varbit: ['', '1', '0'.repeat(200)],
  tsvector: ["'it''s':3 'fat':1A 'back\\\\slash':2"],
  tsquery: ["'fat' & ( 'rat':AB | !'cat' ) <-> 'x':*"],
  point: ['(1.5,-0)', '(NaN,Infinity)'],
  line: ['{1,-2,3.5}'],
  lseg: ['[(1,2),(3,4)]'],
  box: ['(3,4),(1,2)'],
  path: ['[(0,0),(1,1)]', '((0,0),(1,1))'],
  polygon: ['((0,0),(1,1),(2,0))'],
  circle: ['<(1,2),3>'],
  oid: ['0', '4294967295'],
  xid: ['4294967295'],
  xid8: ['18446744073709551615'],
  cid: ['7'],
  tid: ['(4294967295,65535)'],
  pg_lsn: ['FFFFFFFF/FFFFFFFF'],
  pg_snapshot: ['10:20:10,14'],
  regclass: ['pg_catalog.pg_class', '"Odd Schema"."Ta.b/le"', '-'],
  regproc: ['pg_catalog.now', '-'],
  regprocedure: ['pg_catalog.sum(int4)'],
  regoperator: ['pg_catalog.+(int4,int4)'],
  regtype: ['int4', '"Odd Schema".mood'],
  regrole: ['pg_monitor'],
  regnamespace: ['"Odd Schema"'],
  regconfig: ['english'],
  regdictionary: ['simple'],
  regcollation: ['"C"'],
  int4range: ['empty', '(,)', '[1,5)'],
  int8range: ['[-9223372036854775808,9223372036854775807)'],
  numrange: ['[-1.10,NaN]', '(,1e30)'],
  daterange: ['[0044-03-15 BC,infinity)'],
  tsrange: ['["2024-01-01 00:00:00","2024-01-02 00:00:00.5")'],
  tstzrange: ['["2024-01-01 00:00:00+00",)'],
  int4multirange: ['{}', '{[1,3),[7,9)}'],
  tstzmultirange: ['{["2024-01-01 00:00:00+00",)}'],
  '"Odd Schema".float_range': ['[-infinity,0.1)'],
  '"Odd Schema".mood': ['sad', "o'k", 'very "happy" \\'],
  '"Odd Schema".pair': ['(1,"a,""b\\\\",1.10)', '(,,)', '(,"",NaN)'],
  '"Odd Schema".nested': ['("(1,""x"",2)","{""(1,y,3)"",NULL}",sad)'],
  '"Odd Schema".small': ['7'],
  '"Odd Schema".flag': ['true'],
  '"Odd Schema".amount': ['NaN', '12.50'],
  '"Odd Schema".ratio': ['-Infinity', '0.25'],
  '"Odd Schema".label': ['q"\\', ''],
  '"Odd Schema".padded': ['a', ''],
  '"Odd Schema".raw': ['\\x5c00', '\\x'],
  '"Odd Schema".numbers': ['{1,NULL}', '[0:1]={5,6}'],
  '"Odd Schema".doc': ['null', '{"a": 1}'],
  '"Odd Schema".moods': ['sad'],
};

/** Types of which there are arrays only in an array's own form, or none at all. */
const WITHOUT_ARRAY = new Set(['"Odd Schema".numbers']);

const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

describe('every type of PostgreSQL', () => {
  let database: TestDatabase;
  let types: readonly string[];
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    await database.execute(
      'CREATE SCHEMA "Odd Schema"',
      `CREATE TYPE "Odd Schema".mood AS ENUM ('sad', 'o''k', 'very "happy" \\')`,
      'CREATE TYPE "Odd Schema".pair AS (x int, label text, "Z z" numeric)',
      'CREATE TYPE "Odd Schema".nested AS (one "Odd Schema".pair, many "Odd Schema".pair[], m "Odd Schema".mood)',
      'CREATE TYPE "Odd Schema".float_range AS RANGE (subtype = float8)',
      'CREATE DOMAIN "Odd Schema".positive AS int CHECK (VALUE > 0)',
      'CREATE DOMAIN "Odd Schema".small AS "Odd Schema".positive CHECK (VALUE < 1000)',
      'CREATE DOMAIN "Odd Schema".flag AS bool',
      'CREATE DOMAIN "Odd Schema".amount AS numeric(10, 2)',
      'CREATE DOMAIN "Odd Schema".ratio AS float8',
      'CREATE DOMAIN "Odd Schema".label AS varchar(9)',
      'CREATE DOMAIN "Odd Schema".padded AS char(4)',
      'CREATE DOMAIN "Odd Schema".raw AS bytea',
      'CREATE DOMAIN "Odd Schema".numbers AS int[]',
      'CREATE DOMAIN "Odd Schema".doc AS jsonb',
      'CREATE DOMAIN "Odd Schema".moods AS "Odd Schema".mood',
      'CREATE TABLE "Odd Schema"."Ta.b/le" (id int)',
    );
    const version = Number((await database.query("SELECT current_setting('server_version_num')"))[0]?.[0]);
    types = Object.keys(VALUES).filter((type) => version >= 140_000 || !type.includes('multirange'));
    const values = (type: string) =>
      (VALUES[type] ?? []).filter(
        (value) => version >= 140_000 || type !== 'numeric' || !value.includes('Inf'),
      );
    const rows = types.flatMap((type, n) => {
      const single = values(type).map((value) => `INSERT INTO every (c${n}) VALUES (${literal(value)})`);
      if (WITHOUT_ARRAY.has(type)) return single;
      const all = values(type).map((value) => `${literal(value)}::${type}`);
      const [first] = all;
      return [
        ...single,
        `INSERT INTO every (a${n}) VALUES (ARRAY[${all.join(', ')}, NULL]::${type}[]), ('{}')`,
        `INSERT INTO every (a${n}) VALUES (ARRAY[[${first}, NULL], [NULL, ${first}]]::${type}[])`,
        `INSERT INTO every (a${n}) VALUES (array_fill(${first}, ARRAY[2, 1], ARRAY[-1, 5]))`,
      ];
    });
    const columns = types.flatMap((type, n) =>
      WITHOUT_ARRAY.has(type) ? [`c${n} ${type}`] : [`c${n} ${type}`, `a${n} ${type}[]`],
    );
    await database.execute(
      `CREATE TABLE every (id int GENERATED ALWAYS AS IDENTITY, ${columns.join(', ')})`,
      ...rows,
    );
    await database.asAdmin(`ALTER ROLE ${database.owner} SET lc_monetary = 'C'`);
  });
  afterAll(() => database.dispose());

  async function every(): Promise<TakenTables> {
    return await take(openPostgres(database.url), ['every']);
  }

  it('is written as row_to_json would write it, were everything but numbers and booleans text', async () => {
    const taken = await every();
    const lines = taken.rows[0]?.toString('utf8').trimEnd().split('\n') ?? [];
    expect(lines.length).toBeGreaterThan(300);
    const list = await database.query(`
      WITH RECURSIVE base(oid, of) AS (
        SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
        UNION ALL SELECT t.oid, b.of FROM base b JOIN pg_type t ON t.typbasetype = b.oid AND t.typtype = 'd'
      )
      SELECT string_agg(CASE WHEN b.of = ANY ('{bool,int2,int4,int8,numeric,float4,float8,text,varchar,bpchar,uuid,bytea}'::regtype[])
               THEN quote_ident(a.attname) ELSE format('textin(%I.%I(%I::%s)) AS %I', pn.nspname, p.proname, a.attname, format_type(b.of, CASE WHEN b.of = a.atttypid THEN a.atttypmod ELSE -1 END), a.attname) END, ', ' ORDER BY a.attnum)
        FROM pg_attribute a JOIN base b ON b.oid = a.atttypid JOIN pg_type t ON t.oid = b.of
        JOIN pg_proc p ON p.oid = t.typoutput JOIN pg_namespace pn ON pn.oid = p.pronamespace
       WHERE a.attrelid = 'every'::regclass AND a.attnum > 0`);
    const client = await database.connect();
    try {
      await client.query(
        `SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET bytea_output = 'hex';
         SET extra_float_digits = 3; SET lc_monetary = 'C'; SET search_path = ''`,
      );
      const result = await client.query<{ line: string }>(
        `SELECT row_to_json(r.*)::text AS line FROM (SELECT ${list[0]?.[0]} FROM public.every) AS r`,
      );
      expect(lines).toEqual(result.rows.map((row) => row.line));
    } finally {
      await client.end();
    }
    // And every line is JSON to a parser that is not ours.
    for (const line of lines) JSON.parse(line);
  });

  it('comes back with its arrays, to the last byte of its text', async () => {
    const taken = await every();
    const before = await contents(database.adminUrl, taken.tables);
    expect(before.get('public.every')?.length).toBeGreaterThan(300);
    await database.execute('DELETE FROM every WHERE id > 3');
    await putBack(openPostgres(database.url), taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect((await every()).rows).toEqual(taken.rows);
  });

  it('that extensions bring comes back too, where they are to be had', async () => {
    const known: Readonly<Record<string, readonly string[]>> = {
      hstore: ['"a"=>"1", "b"=>NULL, "q\\"uote"=>"x,y"', ''],
      citext: ['MiXed "x"'],
      ltree: ['Top.Science.Astronomy'],
      cube: ['(1,2),(3,4)'],
      isn: [],
    };
    const available = (await database.query('SELECT name::text FROM pg_available_extensions')).map(
      ([name]) => name,
    );
    const there = Object.keys(known).filter((name) => available.includes(name) && known[name]?.length !== 0);
    for (const name of there) {
      await database.asAdmin(`CREATE EXTENSION ${name} SCHEMA public`);
      await database.execute(`CREATE TABLE of_${name} (v ${name}, a ${name}[])`);
      for (const value of known[name] ?? []) {
        await database.execute(
          `INSERT INTO of_${name} VALUES (${literal(value)}, ARRAY[${literal(value)}, NULL]::${name}[])`,
        );
      }
    }
    const taken = await take(
      openPostgres(database.url),
      there.map((name) => `of_${name}`),
    );
    const before = await contents(database.adminUrl, taken.tables);
    for (const name of there) await database.execute(`TRUNCATE of_${name}`);
    await putBack(openPostgres(database.url), taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect(there.length).toBeGreaterThan(0);
  });
});
