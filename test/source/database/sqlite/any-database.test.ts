/** Databases nobody thought of: random structures, keys and values go through a bundle's rows and schema unharmed. */
import { rmSync } from 'node:fs';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { inDatabase, makeDatabase } from '../../../support/sqlite-database.ts';
import { emptyFile, everythingIn, putWholeBack, takeWholeBackup } from './whole-database.ts';

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** SQLite takes names that differ in the case of ASCII letters for one. */
const folded = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

const name = fc
  .oneof(
    fc.constantFrom(
      'a',
      'select',
      'x y',
      '"q"',
      "it's",
      '[b]',
      '`t`',
      'rowid',
      '$blob',
      '$rowid',
      '%',
      'a.b',
    ),
    fc.constantFrom(
      '--c',
      '/*d*/',
      ';',
      'temp',
      'main',
      'this',
      'oid',
      '_rowid_',
      'é',
      '😀',
      '7',
      '__proto__',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
  )
  .filter((text) => !text.includes('\0') && text.isWellFormed() && !/^(sqlite_|holdfast_)/i.test(text));

type Value = null | bigint | number | string | { readonly blob: Buffer } | { readonly textBytes: Buffer };

const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array));
const number: fc.Arbitrary<number> = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constantFrom(
    -0,
    0,
    1,
    2 ** 53,
    1e20,
    -1e-300,
    5e-324,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ),
);
const integer = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)),
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).filter((each) => each.isWellFormed()),
  fc.constantFrom(
    '',
    '1',
    '1.0',
    '1e3',
    'null',
    '\u2028',
    '"\\/\b\f\n\r\t',
    '{"$blob":"00"}',
    'x'.repeat(9000),
  ),
);
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  integer,
  number,
  text,
  bytes.map((blob) => ({ blob })),
  // The bytes of a text need not be text.
  bytes.map((textBytes) => ({ textBytes })),
);

const FREE_TYPES = [
  '',
  'INTEGER',
  'INT',
  'REAL',
  'NUMERIC',
  'TEXT',
  'VARCHAR(3)',
  'BLOB',
  'DATETIME',
  'any thing',
];
const STRICT_TYPES = ['INT', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'ANY'];

const table = fc.record({
  name,
  kind: fc.constantFrom('ROWID', 'KEY', 'COUNTER', 'WITHOUT ROWID', 'STRICT', 'DESC'),
  columns: fc.uniqueArray(
    fc.record({ name, type: fc.nat(), references: fc.option(fc.nat()), generated: fc.boolean() }),
    { minLength: 1, maxLength: 5, selector: (column) => folded(column.name) },
  ),
  rows: fc.array(fc.array(value, { minLength: 6, maxLength: 6 }), { maxLength: 12 }),
  rowids: fc.array(integer, { maxLength: 4 }),
  indexed: fc.boolean(),
  triggered: fc.boolean(),
  deleted: fc.boolean(),
});

const database = fc.record({
  encoding: fc.constantFrom('UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be'),
  tables: fc.uniqueArray(table, { minLength: 3, maxLength: 8, selector: (each) => folded(each.name) }),
  version: fc.integer(),
});
type Plan = typeof database extends fc.Arbitrary<infer T> ? T : never;
type TablePlan = Plan['tables'][number];

const KEY = 'key of this table';

function tableSql(plan: TablePlan, all: readonly TablePlan[]): string {
  const types = plan.kind === 'STRICT' ? STRICT_TYPES : FREE_TYPES;
  const keys: Record<string, string> = {
    ROWID: '',
    KEY: `${quoted(KEY)} INTEGER PRIMARY KEY, `,
    COUNTER: `${quoted(KEY)} INTEGER PRIMARY KEY AUTOINCREMENT, `,
    'WITHOUT ROWID': `${quoted(KEY)} TEXT PRIMARY KEY, `,
    STRICT: '',
    DESC: `${quoted(KEY)} INTEGER PRIMARY KEY DESC, `,
  };
  const columns = plan.columns.map((column, place) => {
    const type = types[column.type % types.length] ?? '';
    const parent = column.references === null ? undefined : all[column.references % all.length];
    if (column.generated && place > 0)
      return `${quoted(column.name)} ${type} AS (${quoted(plan.columns[0]?.name ?? '')})`;
    return `${quoted(column.name)} ${type}${parent === undefined ? '' : ` REFERENCES ${quoted(parent.name)}`}`;
  });
  const suffix = plan.kind === 'STRICT' || plan.kind === 'WITHOUT ROWID' ? ` ${plan.kind}` : '';
  return `CREATE TABLE ${quoted(plan.name)} (${keys[plan.kind] ?? ''}${columns.join(', ')})${suffix}`;
}

function fill(db: Database.Database, plan: TablePlan): void {
  const table = quoted(plan.name);
  const own = plan.columns.filter((column, place) => !column.generated || place === 0);
  const names = own.map((column) => quoted(column.name));
  if (!['ROWID', 'STRICT'].includes(plan.kind)) names.push(quoted(KEY));
  for (const row of plan.rows) {
    const values = row.slice(0, names.length);
    const bound = values.map((each) =>
      each === null || typeof each !== 'object' ? each : 'blob' in each ? each.blob : each.textBytes,
    );
    const places = values.map((each) =>
      each !== null && typeof each === 'object' && 'textBytes' in each ? 'CAST(? AS TEXT)' : '?',
    );
    try {
      db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${places.join(', ')})`).run(bound);
    } catch {
      // The table has no place for such a value, or has it already.
    }
  }
  for (const rowid of plan.rowids) {
    try {
      db.prepare(
        `UPDATE OR IGNORE ${table} SET rowid = ? WHERE rowid = (SELECT min(rowid) FROM ${table})`,
      ).run(rowid);
    } catch {
      // It has no rowid, or a column of that name that takes no integer.
    }
  }
  if (plan.deleted) db.exec(`DELETE FROM ${table} WHERE typeof(${names[0]}) = 'integer'`);
}

function make(plan: Plan): string {
  return makeDatabase(`PRAGMA encoding = '${plan.encoding}'; PRAGMA user_version = ${plan.version}`, (db) => {
    for (const each of plan.tables) db.exec(tableSql(each, plan.tables));
    for (const each of plan.tables) fill(db, each);
    for (const [place, each] of plan.tables.entries()) {
      const column = quoted(each.columns[0]?.name ?? '');
      const other = plan.tables[(place + 1) % plan.tables.length];
      if (each.indexed)
        db.exec(`CREATE INDEX "index ${place}" ON ${quoted(each.name)} (${column} COLLATE NOCASE DESC)`);
      if (each.triggered && other !== undefined) {
        db.exec(`CREATE TRIGGER "trigger ${place}" BEFORE INSERT ON ${quoted(each.name)}
          BEGIN DELETE FROM ${quoted(other.name)}; SELECT ';'; END`);
      }
    }
  });
}

/** What an application may have done since. */
function damage(path: string, plan: Plan): void {
  inDatabase(path, (db) => {
    db.pragma('foreign_keys = OFF');
    // Else it looks whether triggers still find their tables.
    db.pragma('legacy_alter_table = ON');
    for (const [place, each] of plan.tables.entries()) {
      if (place % 3 === 0) db.exec(`DROP TABLE ${quoted(each.name)}`);
      else if (place % 3 === 1) db.exec(`ALTER TABLE ${quoted(each.name)} ADD COLUMN "added since" INT`);
      else db.exec(`DELETE FROM ${quoted(each.name)}`);
    }
  });
}

test('any database comes back into an empty file, and over what became of it', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(database, async (plan) => {
      const path = make(plan);
      const target = emptyFile();
      const before = everythingIn(path);
      const taken = await takeWholeBackup(openSqlite(path));
      await putWholeBack(openSqlite(target), taken, { mode: 'CREATE' });
      expect(everythingIn(target)).toEqual(before);
      damage(path, plan);
      await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
      expect(everythingIn(path)).toEqual(before);
      for (const each of [path, target]) rmSync(each);
    }),
    // As many as fit, so that a slow machine is not a failure.
    { numRuns: 10, interruptAfterTimeLimit: 10_000, endOnFailure: true },
  );
});
