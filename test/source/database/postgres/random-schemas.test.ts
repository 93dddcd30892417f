import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';

const text = fc.string({ unit: 'binary', maxLength: 80 }).map((value) => value.replaceAll('\0', ''));
const quoted = (value: string): string => `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** A type and literals of it. */
const TYPES: readonly (readonly [type: string, literal: fc.Arbitrary<string>])[] = [
  ['text', text.map(quoted)],
  ['varchar(100)', text.map(quoted)],
  ['int8', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => `'${value}'`)],
  ['int2', fc.integer({ min: -32768, max: 32767 }).map((value) => `'${value}'`)],
  ['bool', fc.boolean().map(String)],
  ['float8', fc.double().map((value) => `'${Object.is(value, -0) ? '-0' : value}'`)],
  ['numeric', fc.tuple(fc.bigInt(), fc.nat({ max: 40 })).map(([digits, scale]) => `'${digits}e-${scale}'`)],
  ['bytea', fc.uint8Array({ maxLength: 60 }).map((bytes) => `'\\x${Buffer.from(bytes).toString('hex')}'`)],
  [
    'timestamptz',
    fc
      .date({ min: new Date(-6e13), max: new Date(2e14), noInvalidDate: true })
      .map((date) => `to_timestamp(${date.getTime()} / 1000.0)`),
  ],
  ['jsonb', fc.jsonValue().map((value) => quoted(JSON.stringify(value).replaceAll('\\u0000', '')))],
  ['json', fc.jsonValue().map((value) => quoted(JSON.stringify(value, null, 2)))],
  [
    'text[]',
    fc
      .array(fc.option(text, { nil: null }), { maxLength: 4 })
      .map(
        (list) =>
          `ARRAY[${list.map((value) => (value === null ? 'NULL' : quoted(value))).join(', ')}]::text[]`,
      ),
  ],
  [
    'int4range',
    fc
      .tuple(fc.integer({ min: -99, max: 0 }), fc.nat({ max: 99 }))
      .map(([low, high]) => `int4range(${low}, ${high})`),
  ],
  ['uuid', fc.uuid().map((value) => `'${value}'`)],
];

interface RandomTable {
  readonly name: string;
  readonly columns: readonly { name: string; type: string; values: readonly (string | null)[] }[];
  /** Tables this one points to, by number, itself among them; cycles are welcome. */
  readonly references: readonly {
    to: number;
    deferrable: boolean;
    notValid: boolean;
    rows: readonly number[];
  }[];
  readonly rows: number;
  readonly indexed: boolean;
  readonly trigger: boolean;
}

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((value) => !/[\0]/.test(value) && Buffer.byteLength(value) < 50);

function randomTable(n: number): fc.Arbitrary<RandomTable> {
  return fc.integer({ min: 0, max: 12 }).chain((rows) =>
    fc.record({
      name: name.map((value) => `${value} ${n}`),
      columns: fc.uniqueArray(
        fc.constantFrom(...TYPES).chain(([type, literal]) =>
          fc.record({
            name: name.map((value) => `${value}.c`),
            type: fc.constant(type),
            values: fc.array(fc.option(literal, { nil: null, freq: 4 }), {
              minLength: rows,
              maxLength: rows,
            }),
          }),
        ),
        { maxLength: 6, selector: (column) => column.name },
      ),
      references: fc.array(
        fc.record({
          to: fc.nat({ max: 3 }),
          deferrable: fc.boolean(),
          notValid: fc.boolean(),
          rows: fc.array(fc.nat({ max: 20 }), { minLength: rows, maxLength: rows }),
        }),
        { maxLength: 2 },
      ),
      rows: fc.constant(rows),
      indexed: fc.boolean(),
      trigger: fc.boolean(),
    }),
  );
}

const q = (value: string): string => `"${value.replaceAll('"', '""')}"`;

/** The statements that make the tables, then the keys, which the rows satisfy unless the key is NOT VALID. */
function statements(tables: readonly RandomTable[]): string[] {
  const made: string[] = [];
  const keys: string[] = [];
  for (const [n, table] of tables.entries()) {
    const own = table.columns.map((column) => `${q(column.name)} ${column.type}`);
    const links = table.references.map((_, k) => `"ref ${k}" int`);
    made.push(`CREATE TABLE r.${q(table.name)} (${['id serial PRIMARY KEY', ...own, ...links].join(', ')})`);
    if (table.trigger) {
      made.push(
        `CREATE TRIGGER loud BEFORE INSERT OR TRUNCATE ON r.${q(table.name)} FOR EACH STATEMENT EXECUTE FUNCTION r.refuse()`,
        `ALTER TABLE r.${q(table.name)} DISABLE TRIGGER loud`,
      );
      keys.push(`ALTER TABLE r.${q(table.name)} ENABLE ALWAYS TRIGGER loud`);
    }
    for (let row = 0; row < table.rows; row += 1) {
      const values = table.columns.map((column) => column.values[row] ?? 'NULL');
      const references = table.references.map((reference) => {
        const there = tables[reference.to % tables.length]?.rows ?? 0;
        const to = (reference.rows[row] ?? 0) + 1;
        return reference.notValid || to <= there ? String(to) : 'NULL';
      });
      made.push(
        `INSERT INTO r.${q(table.name)} VALUES (${['DEFAULT', ...values, ...references].join(', ')})`,
      );
    }
    for (const [k, reference] of table.references.entries()) {
      const to = tables[reference.to % tables.length]?.name ?? '';
      keys.push(
        `ALTER TABLE r.${q(table.name)} ADD CONSTRAINT "key ${n} ${k}" FOREIGN KEY ("ref ${k}") REFERENCES r.${q(to)} (id)${reference.deferrable ? ' DEFERRABLE INITIALLY DEFERRED' : ''}${reference.notValid ? ' NOT VALID' : ''}`,
      );
    }
    if (table.indexed) keys.push(`CREATE INDEX ON r.${q(table.name)} (id DESC)`);
  }
  return [...made, ...keys];
}

const STRUCTURE = `
SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), concat_ws(' ', convalidated, condeferrable, condeferred)
  FROM pg_constraint WHERE connamespace = 'r'::regnamespace
UNION ALL SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid), ''
  FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'r'::regnamespace)
UNION ALL SELECT tgrelid::regclass::text, tgname::text, tgenabled::text, '' FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3, 4`;

describe('random schemas', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
  });
  afterAll(() => database.dispose());

  it('come back whole after they were wrecked: rows, sequences and structure', async () => {
    const source = openPostgres(database.url);
    const schema = fc
      .integer({ min: 1, max: 4 })
      .chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => randomTable(n))));
    await fc.assert(
      fc.asyncProperty(
        schema,
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        async (tables, wrecked) => {
          await database.execute(
            'DROP SCHEMA IF EXISTS r CASCADE',
            'CREATE SCHEMA r',
            `CREATE FUNCTION r.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$`,
            ...statements(tables),
          );
          const taken = await take(source);
          const before = await contents(database.adminUrl, taken.tables);
          const structure = await database.query(STRUCTURE);
          const names = tables.map((table) => `r.${q(table.name)}`);
          const harm = names.flatMap((table, n) =>
            wrecked[n] === true ? [`DELETE FROM ${table}`] : [`UPDATE ${table} SET id = id + 1000`],
          );
          await database.asAdmin(
            `BEGIN; SET LOCAL session_replication_role = replica; ${harm.join('; ')}; SELECT nextval(oid::regclass) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'r'::regnamespace; COMMIT`,
          );
          await putBack(source, taken);
          expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
          expect(await database.query(STRUCTURE)).toEqual(structure);
          const again = await take(source);
          expect(again.rows).toEqual(taken.rows);
          expect(again.sequences).toEqual(taken.sequences);
        },
      ),
      { numRuns: 20 },
    );
  });
});
