import fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { createTestDatabase } from '../../../support/mariadb-database.ts';
import { contents, counters, putBack, take } from '../../../support/mariadb-round-trip.ts';

const serverUrl = inject('mariadbUrl');

interface Kind {
  readonly type: string;
  /** SQL literals. */
  readonly values: fc.Arbitrary<string>;
}

interface AnyTable {
  readonly name: string;
  readonly kinds: readonly Kind[];
  readonly rows: readonly (readonly string[])[];
  /** Numbers of tables, and whether the column is filled. */
  readonly keys: readonly { readonly to: number; readonly action: string; readonly set: boolean }[];
  readonly suffix: string;
}

const quoted = (name: string) => `\`${name.replaceAll('`', '``')}\``;
const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((value) => `x'${Buffer.from(value).toString('hex')}'`);
const text = (charset: string, unit: fc.Arbitrary<string>) =>
  fc.string({ unit, maxLength: 20 }).map((value) => {
    const hex = Buffer.from(value).toString('hex');
    return `CONVERT(CONVERT(x'${hex}' USING utf8mb4) USING ${charset})`;
  });
const latin = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCodePoint(code));
const anyCharacter = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 1 })
  .filter((one) => one.isWellFormed());
const integer = (min: bigint, max: bigint) => fc.bigInt({ min, max }).map(String);
const two = (n: number) => String(n).padStart(2, '0');
const time = fc
  .tuple(fc.boolean(), fc.nat(838), fc.nat(59), fc.nat(59), fc.nat(999_999))
  .map(
    ([minus, h, m, s, u]) =>
      `'${minus ? '-' : ''}${two(h)}:${two(m)}:${two(s)}.${String(u).padStart(6, '0')}'`,
  );
// Also days that no calendar has, and zero in any place.
const date = fc
  .tuple(fc.nat(9_999), fc.nat(12), fc.nat(31))
  .map(([y, m, d]) => `'${String(y).padStart(4, '0')}-${two(m)}-${two(d)}'`);

const kind: fc.Arbitrary<Kind> = fc.constantFrom<Kind>(
  { type: 'TINYINT', values: integer(-128n, 127n) },
  { type: 'MEDIUMINT UNSIGNED ZEROFILL', values: integer(0n, 16_777_215n) },
  { type: 'BIGINT', values: integer(-(2n ** 63n), 2n ** 63n - 1n) },
  { type: 'BIGINT UNSIGNED', values: integer(0n, 2n ** 64n - 1n) },
  {
    type: 'DECIMAL(38, 10)',
    values: fc.tuple(integer(-(10n ** 27n), 10n ** 27n), fc.nat(9_999)).map(([n, f]) => `${n}.${f}`),
  },
  {
    type: 'DOUBLE',
    values: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n.toExponential()),
  },
  { type: 'FLOAT', values: fc.float({ noNaN: true, noDefaultInfinity: true }).map((n) => n.toExponential()) },
  { type: 'BIT(37)', values: integer(0n, 2n ** 37n - 1n) },
  { type: 'VARCHAR(60)', values: text('utf8mb4', anyCharacter) },
  { type: 'VARCHAR(60) CHARACTER SET latin1', values: text('latin1', latin) },
  { type: 'CHAR(30) COLLATE utf8mb4_bin', values: text('utf8mb4', anyCharacter) },
  { type: 'LONGTEXT COMPRESSED', values: text('utf8mb4', anyCharacter) },
  { type: 'TEXT CHARACTER SET utf16', values: text('utf16', anyCharacter) },
  { type: 'VARBINARY(40)', values: bytes(40) },
  { type: 'BINARY(8)', values: bytes(8) },
  { type: 'LONGBLOB', values: bytes(60) },
  { type: 'DATE', values: date },
  { type: 'DATETIME(6)', values: date },
  { type: 'TIME(6)', values: time },
  { type: 'YEAR', values: integer(1_901n, 2_155n) },
  {
    type: 'JSON',
    values: fc.json().map((value) => `CONVERT(x'${Buffer.from(value).toString('hex')}' USING utf8mb4)`),
  },
  { type: "ENUM('a', '', 'ü,\"')", values: fc.constantFrom("'a'", "''", "'ü,\"'") },
  { type: "SET('a', 'b c', '''')", values: integer(0n, 7n) },
  { type: 'UUID', values: fc.uuid().map((value) => `'${value}'`) },
  { type: 'INET6', values: fc.ipV6().map((value) => `'${value}'`) },
  { type: 'INET4', values: fc.ipV4().map((value) => `'${value}'`) },
  { type: 'POINT', values: fc.tuple(fc.integer(), fc.integer()).map(([x, y]) => `POINT(${x}, ${y})`) },
  { type: 'INT INVISIBLE DEFAULT 5', values: integer(0n, 9n) },
);

const anyTable = fc.uniqueArray(kind, { selector: ({ type }) => type, maxLength: 9 }).chain((kinds) =>
  fc.record<AnyTable>({
    name: fc
      .string({ unit: fc.constantFrom(...'aB`\'"\\/.%_ ü日'), minLength: 1, maxLength: 12 })
      .map((name) => `${name}x`),
    kinds: fc.constant(kinds),
    rows: fc.array(
      fc.tuple(...kinds.map(({ values }) => fc.oneof({ weight: 5, arbitrary: values }, fc.constant('NULL')))),
      { maxLength: 8 },
    ),
    keys: fc.array(
      fc.record({
        to: fc.nat(20),
        action: fc.constantFrom('CASCADE', 'SET NULL', 'RESTRICT'),
        set: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    suffix: fc.constantFrom(
      '',
      'ROW_FORMAT=COMPRESSED',
      "COMMENT 'it''s; `odd`'",
      'COLLATE utf8mb4_swedish_ci',
      'AUTO_INCREMENT=4711',
    ),
  }),
);
const anyDatabase = fc.uniqueArray(anyTable, {
  selector: ({ name }) => name.toLowerCase(),
  minLength: 1,
  maxLength: 4,
});

function statements(tables: readonly AnyTable[]): string[] {
  const made: string[] = [
    "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0",
  ];
  for (const { name, kinds, keys, rows, suffix } of tables) {
    const columns = kinds.map(({ type }, n) => `c${n} ${type}`);
    const references = keys.flatMap(({ to, action }, n) => [
      `r${n} INT`,
      `FOREIGN KEY (r${n}) REFERENCES ${quoted(tables[to % tables.length]?.name ?? '')} (id) ON DELETE ${action}`,
    ]);
    made.push(
      `CREATE TABLE ${quoted(name)} (${['id INT AUTO_INCREMENT PRIMARY KEY', ...columns, ...references].join(', ')}) ${suffix}`,
    );
    for (const [id, row] of rows.entries()) {
      const pointers = keys.map(({ to, set }) => {
        const others = tables[to % tables.length]?.rows.length ?? 0;
        return set && others > 0 ? String(id % others) : 'NULL';
      });
      const names = ['id', ...kinds.map((_, n) => `c${n}`), ...keys.map((_, n) => `r${n}`)];
      made.push(
        `INSERT INTO ${quoted(name)} (${names.join(', ')}) VALUES (${[String(id), ...row, ...pointers].join(', ')})`,
      );
    }
  }
  return made;
}

describe.skipIf(serverUrl === null)('any MariaDB database', () => {
  it('comes back with every value, key and counter, over what it became and into an empty one', async () => {
    await fc.assert(
      fc.asyncProperty(anyDatabase, fc.boolean(), async (tables, intoEmpty) => {
        const database = await createTestDatabase(serverUrl ?? '');
        const other = intoEmpty ? await createTestDatabase(serverUrl ?? '') : database;
        try {
          await database.execute(...statements(tables));
          const names = tables.map(({ name }) => name);
          const source = openMariadb(database.url);
          const taken = await take(source);
          const before = [await contents(database, names), await counters(database)];
          if (intoEmpty) {
            await putBack(openMariadb(other.url), taken, {
              schema: { mode: 'CREATE', script: taken.script },
            });
          } else {
            const emptied = names.map((name) => `DELETE FROM ${quoted(name)}`);
            await database.execute('SET foreign_key_checks = 0', ...emptied);
            await putBack(source, taken);
          }
          expect([await contents(other, names), await counters(other)]).toEqual(before);
          const again = await take(openMariadb(other.url));
          expect(again.rows.map(String)).toEqual(taken.rows.map(String));
          expect(again.script).toEqual(taken.script);
        } finally {
          await database.dispose();
          if (intoEmpty) await other.dispose();
        }
      }),
      { numRuns: 10 },
    );
  });
});
