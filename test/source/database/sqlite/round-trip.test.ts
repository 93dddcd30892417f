import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import {
  begin,
  contentOf,
  inDatabase,
  makeDatabase,
  putBack,
  query,
  type RestoreSettings,
  takeBackup,
  unhurried,
} from '../../../support/sqlite-database.ts';

/** Room for values of hundreds of megabytes on a slow machine. */
const HUGE_MS = 120_000;

/** Backs up, lets `damage` loose on every table, restores, and gives both contents and the lines of the backup. */
async function roundTrip(path: string, settings: RestoreSettings = {}) {
  const database = openSqlite(path);
  const before = contentOf(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => {
    db.pragma('foreign_keys = OFF');
    for (const { name } of taken.description.tables) db.exec(`DELETE FROM "${name.replaceAll('"', '""')}"`);
  });
  expect(contentOf(path)).not.toEqual(before);
  await putBack(database, taken, settings);
  return { before, after: contentOf(path), lines: taken.lines };
}

const INTEGERS = [0, 1, -1, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 53n) - 1n].map(
  BigInt,
);
const REALS = [
  0.1 + 0.2,
  5e-324,
  Number.MAX_VALUE,
  1 / 3,
  1e15,
  1e17,
  1e20,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  123456789012345680,
  5,
  -7,
];
const TEXTS = [
  '',
  'plain',
  '12',
  '1e3',
  ' 7',
  'é 😀 \u2028',
  '"\\\n\r\t\b\f\u0001\u001f\u007f',
  '\\u0000',
  '{"$blob":"00"}',
];
const BLOBS = [Buffer.alloc(0), Buffer.from([0]), Buffer.from('text'), Buffer.from([0xff, 0x00, 0x5b])];

test('every kind of value survives in every kind of column, bit for bit', async () => {
  const types = [
    '',
    'INTEGER',
    'INT',
    'REAL',
    'NUMERIC',
    'DECIMAL(10,2)',
    'TEXT',
    'VARCHAR(3)',
    'BLOB',
    'DATETIME',
    'BOOLEAN',
  ];
  const columns = types.map((type, place) => `c${place} ${type}`);
  const path = makeDatabase(`CREATE TABLE v (id INTEGER PRIMARY KEY, ${columns.join(', ')})`, (db) => {
    const insert = db.prepare(
      `INSERT INTO v (${types.map((_, i) => `c${i}`)}) VALUES (${types.map(() => '?')})`,
    );
    for (const value of [null, ...INTEGERS, ...REALS, Infinity, -Infinity, -0, ...TEXTS, ...BLOBS]) {
      insert.run(types.map(() => value));
    }
  });
  const { before, after } = await roundTrip(path);
  expect(after).toEqual(before);
});

test('text with NUL or with bytes that are no UTF-8 survives, tagged with its bytes', async () => {
  const path = makeDatabase('CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b, c INTEGER)', (db) => {
    const insert = db.prepare(
      'INSERT INTO t (a, b, c) VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))',
    );
    for (const bytes of ['00', '610062', 'ff', 'c3', 'eda080', '3132ff', '31320000']) {
      const value = Buffer.from(bytes, 'hex');
      insert.run(value, value, value);
      insert.run(Buffer.from('plain'), value, Buffer.from('between'));
    }
  });
  const { before, after, lines } = await roundTrip(path);
  expect(after).toEqual(before);
  expect(lines.get('t')?.split('\n')[0]).toBe(
    '{"id":1,"a":{"$text":"00"},"b":{"$text":"00"},"c":{"$text":"00"}}',
  );
});

test('row lines are written as the bundle format says', async () => {
  const path = makeDatabase(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT, b BLOB, x);
    INSERT INTO t VALUES (1, 9223372036854775807, 0.1 + 0.2, 'a"b', x'00ff', NULL), (2, -1, 9e999, '', x'', 2.0)`);
  const { lines } = await takeBackup(openSqlite(path));
  expect(lines.get('t')).toBe(
    '{"id":1,"n":9223372036854775807,"r":0.30000000000000004,"t":"a\\"b","b":{"$blob":"00FF"},"x":null}\n' +
      '{"id":2,"n":-1,"r":9.0e+999,"t":"","b":{"$blob":""},"x":2.0}\n',
  );
});

test.each([
  [
    'WITHOUT ROWID',
    "CREATE TABLE t (a TEXT, b INTEGER, c, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1, 2.0), ('y', 1, x'01')",
  ],
  [
    'STRICT',
    "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e ANY, f INT) STRICT; INSERT INTO t VALUES (1, 2, '3', x'04', 5, 6), (NULL, 9e999, '', x'', 5.0, -6), (1, 1, '1', x'31', '1', 1)",
  ],
  [
    'generated columns',
    "CREATE TABLE t (a INTEGER, v AS (a * 2), b TEXT, s TEXT AS (b || '!') STORED); INSERT INTO t VALUES (1, 'x'), (NULL, NULL)",
  ],
  [
    'AUTOINCREMENT',
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t VALUES (5, 1), (500, 2); DELETE FROM t WHERE id = 500',
  ],
  [
    'a key that is no rowid',
    'CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a); INSERT INTO t VALUES (3, 1), (NULL, 2), (-4, 3)',
  ],
  [
    'columns named like the rowid',
    'CREATE TABLE t (rowid TEXT, oid, _rowid_); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6)',
  ],
  [
    'extreme rowids',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (9223372036854775807, 1), (-9223372036854775808, 2), (0, 3)',
  ],
  [
    'names',
    `CREATE TABLE "Größe ""x"" [1]" ("a ""b" INTEGER, "it's" TEXT, "__proto__" TEXT, "7" , "$blob"); INSERT INTO "Größe ""x"" [1]" VALUES (1, 'a', 'b', 2, 'c')`,
  ],
  [
    'columns named like operators',
    'CREATE TABLE "||" ("=" INTEGER, "AND" TEXT, "->>" TEXT, "*" TEXT, "NOT NULL" AS ("=" || "*")); INSERT INTO "||" VALUES (1, \'a\', \'b\', \'c\')',
  ],
  ['a single column that looks like a tag', `CREATE TABLE t ("$blob"); INSERT INTO t VALUES ('00'), (x'00')`],
  [
    'constraints that would skip rows',
    'CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE, b NOT NULL ON CONFLICT IGNORE); INSERT INTO t VALUES (1, 2), (NULL, 3), (NULL, 4)',
  ],
  [
    'UTF-16 text',
    "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a TEXT, b); INSERT INTO t VALUES ('é😀', x'00'), ('a' || char(0) || 'b', 1.5), ('', -0.0)",
  ],
])('%s survive a backup and a restore', async (_what, sql) => {
  const { before, after } = await roundTrip(makeDatabase(sql));
  expect(after).toEqual(before);
});

test('a table with more columns than most functions of SQLite take survives', async () => {
  const columns = Array.from({ length: 1900 }, (_, place) => `c${place}`);
  const path = makeDatabase(`CREATE TABLE wide (${columns.join(', ')})`, (db) => {
    const values = columns.map((_, place) => (place % 2 === 0 ? place / 2 : `text ${place}`));
    db.prepare(`INSERT INTO wide VALUES (${columns.map(() => '?')})`).run(values);
  });
  const database = openSqlite(path);
  const before = query(path, 'SELECT * FROM wide');
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM wide'));
  await putBack(database, taken);
  expect(query(path, 'SELECT * FROM wide')).toEqual(before);
});

test('big values between small ones survive', async () => {
  const path = makeDatabase('CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB, s TEXT)', (db) => {
    const insert = db.prepare('INSERT INTO t (b, s) VALUES (?, ?)');
    db.exec('BEGIN');
    for (let row = 0; row < 3000; row += 1) {
      const big = row % 500 === 7;
      insert.run(Buffer.alloc(big ? 300_000 : 3, row), `${big ? 'ä€😀"\\\n'.repeat(50_000) : 'small'}${row}`);
    }
    // Bigger than the limit above which a line is read without making a string of it.
    insert.run(Buffer.alloc(5_000_000, 'z'), '😀\u0001"'.repeat(1_000_000));
    insert.run(null, 'last');
    db.exec('COMMIT');
  });
  const database = openSqlite(path);
  const sums = 'SELECT count(*), sum(id), sum(length(b)), sum(octet_length(s)) FROM t';
  inDatabase(path, (db) => db.exec('CREATE TABLE copy AS SELECT * FROM t'));
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM t'));
  await putBack(database, taken, { only: ['t'] });
  expect(query(path, sums)).toEqual([[3002, 4507503, expect.any(Number), expect.any(Number)]]);
  expect(
    query(path, 'SELECT count(*) FROM t JOIN copy USING (id) WHERE t.b IS copy.b AND t.s IS copy.s'),
  ).toEqual([[3002]]);
});

test.each([
  ['text', "replace(hex(zeroblob(100000000)), '00', 'é')"],
  ['blob', 'randomblob(200000000)'],
])('a %s of 200 MB comes back', { timeout: HUGE_MS }, async (type, value) => {
  const path =
    makeDatabase(`CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE copy (id INTEGER PRIMARY KEY, a);
    INSERT INTO copy VALUES (1, ${value}), (2, 'behind'); INSERT INTO t SELECT * FROM copy`);
  const same =
    'SELECT id, octet_length(t.a), typeof(t.a), t.a IS copy.a FROM t LEFT JOIN copy USING (id) ORDER BY id';
  const before = query(path, same);
  const database = openSqlite(path);
  const snapshot = await database.openSnapshot(unhurried);
  onTestFinished(() => snapshot.close());
  // Straight from the one into the other: nothing holds such a value in memory.
  const target = join(dirname(path), 'target.sqlite');
  copyFileSync(path, target);
  inDatabase(target, (db) => db.exec('DELETE FROM t'));
  const table = { schema: null, name: 't', columns: ['id', 'a'] };
  const restore = await begin(openSqlite(target), [table]);
  const found = snapshot.description.tables.filter(({ name }) => name === 't');
  await restore.clear(unhurried);
  for (const each of found) await restore.load(table, snapshot.readRows(each, unhurried), unhurried);
  await restore.finish([], unhurried);
  await restore.commit();
  expect(before).toEqual([
    [1, 200_000_000, type, 1],
    [2, 6, 'text', 1],
  ]);
  expect(query(target, same)).toEqual(before);
});

test('a row is written alike whether its neighbours are ordinary or not', async () => {
  const random = seeded(7);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const characters = [
    '"',
    '\\',
    '/',
    'a',
    'é',
    '😀',
    '\u2028',
    '<',
    ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code + 1)),
    '\u007f',
    '\u0080',
  ];
  const values = () =>
    pick([
      null,
      BigInt(Math.floor(random() * 1e15)),
      random() * 10 ** Math.floor(random() * 40 - 20),
      Array.from({ length: Math.floor(random() * 12) }, () => pick(characters)).join(''),
      Buffer.from([Math.floor(random() * 256)]),
    ]);
  const rows = Array.from({ length: 2000 }, (_, id) => [BigInt(id), values(), values()]);
  const path = makeDatabase(
    'CREATE TABLE fast (id INTEGER PRIMARY KEY, a, b TEXT); CREATE TABLE slow (id INTEGER PRIMARY KEY, a, b TEXT) WITHOUT ROWID',
    (db) => {
      for (const table of ['fast', 'slow']) {
        const insert = db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?)`);
        db.transaction(() => {
          for (const row of rows) insert.run(row);
        })();
      }
    },
  );
  const { lines } = await takeBackup(openSqlite(path));
  expect(lines.get('slow')).toBe(lines.get('fast'));
});

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test('columns that are to be cleared come back as NULL, the others as they were', async () => {
  const path = makeDatabase(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, pid INTEGER, note TEXT); INSERT INTO t VALUES (1, 99, 'kept')",
  );
  const table = { schema: null, name: 't' };
  await roundTrip(path, { clearedColumns: [{ table, columns: ['pid'] }] });
  expect(query(path, 'SELECT * FROM t')).toEqual([[1, null, 'kept']]);
});

test('a restored AUTOINCREMENT table goes on counting where it was', async () => {
  const path = makeDatabase(
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t VALUES (9000000000000000000, 1); DELETE FROM t; INSERT INTO t VALUES (2, 1)',
  );
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  expect(taken.sequences.filter(({ schema }) => schema === null)).toEqual([
    { schema: null, name: 't', lastValue: '9000000000000000000', isCalled: true },
  ]);
  inDatabase(path, (db) => db.exec('DELETE FROM t; DELETE FROM sqlite_sequence'));
  await putBack(database, taken);
  inDatabase(path, (db) => db.exec('INSERT INTO t (a) VALUES (1)'));
  expect(query(path, 'SELECT CAST(max(id) AS TEXT) FROM t')).toEqual([['9000000000000000001']]);
});
