import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { chunked } from '../../../support/sqlite-chunks.ts';
import {
  begin,
  contentOf,
  inDatabase,
  linesOf,
  loadAll,
  makeDatabase,
  putBack,
  query,
  tablesOf,
  takeBackup,
  unhurried,
} from '../../../support/sqlite-database.ts';

const FAMILY = `
  CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent ON DELETE CASCADE);
  INSERT INTO parent VALUES (1, 'a'), (2, 'b');
  INSERT INTO child VALUES (10, 1), (20, 2)`;

test('cycles and rows that refer to their own table come back', async () => {
  const path = makeDatabase(`
    CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES b, boss REFERENCES a);
    CREATE TABLE b (id INTEGER PRIMARY KEY, a NOT NULL REFERENCES a);
    INSERT INTO a VALUES (1, 1, 3), (2, 2, 1), (3, 1, 3); INSERT INTO b VALUES (1, 2), (2, 1)`);
  const database = openSqlite(path);
  const before = contentOf(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) =>
    db.exec('PRAGMA foreign_keys = OFF; DELETE FROM a WHERE id < 3; UPDATE b SET a = 3'),
  );
  await putBack(database, taken);
  expect(contentOf(path)).toEqual(before);
});

test('triggers do not fire, and are the same afterwards, in words and in order', async () => {
  const path = makeDatabase(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE log (what);
    CREATE  TRIGGER IF NOT EXISTS "on insert" AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('insert; END'); END;
    CREATE TRIGGER on_delete BEFORE DELETE ON T WHEN old.a > 0 BEGIN INSERT INTO log VALUES ('delete'); END;
    INSERT INTO t VALUES (1, 1); DELETE FROM log`);
  const database = openSqlite(path);
  const before = contentOf(path);
  await putBack(database, await takeBackup(database), { only: ['t'] });
  expect(contentOf(path)).toEqual(before);
  inDatabase(path, (db) => db.exec('INSERT INTO t VALUES (2, 2)'));
  expect(query(path, 'SELECT * FROM log')).toEqual([['insert; END']]);
});

test('tables that the restore does not name stay as they are, also those that would be deleted with their parents', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec("INSERT INTO child VALUES (30, 1); UPDATE parent SET name = 'wrecked'"));
  await putBack(database, taken, { only: ['parent'] });
  expect(query(path, 'SELECT name FROM parent')).toEqual([['a'], ['b']]);
  expect(query(path, 'SELECT id FROM child')).toEqual([[10], [20], [30]]);
});

test('a row outside the restore that would point to nothing afterwards is refused by name, and nothing changes', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec("INSERT INTO parent VALUES (3, 'new'); INSERT INTO child VALUES (30, 3)"));
  const before = contentOf(path);
  await expect(putBack(database, taken, { only: ['parent'] })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message:
      'The row with rowid 30 of the table "child" would refer to a row of "parent" that does not exist.',
  });
  expect(contentOf(path)).toEqual(before);
});

test('a restored row that points to nothing outside the restore is refused by name', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM parent WHERE id = 2'));
  await expect(putBack(database, taken, { only: ['child'] })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('rowid 20 of the table "child"'),
    hint: expect.stringContaining('"parent"'),
  });
});

test('a row without rowid that would newly point to nothing is refused too', async () => {
  const path = makeDatabase(`
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (k TEXT PRIMARY KEY, parent REFERENCES parent) WITHOUT ROWID;
    INSERT INTO child VALUES ('dangles already', 99)`);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  await putBack(database, taken, { only: ['parent'] });
  inDatabase(path, (db) => db.exec("INSERT INTO parent VALUES (1); INSERT INTO child VALUES ('new', 1)"));
  await expect(putBack(database, taken, { only: ['parent'] })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('"child"'),
  });
});

test('rows that already pointed to nothing when they were backed up come back so', async () => {
  const path = makeDatabase(`${FAMILY}; INSERT INTO child VALUES (40, 77);
    CREATE TABLE other (x REFERENCES nowhere, y REFERENCES parent (name)); INSERT INTO other VALUES (1, 'z')`);
  const database = openSqlite(path);
  const before = contentOf(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('PRAGMA foreign_keys = OFF; DELETE FROM parent; DELETE FROM child'));
  await putBack(database, taken);
  expect(contentOf(path)).toEqual(before);
  await putBack(database, taken, { only: ['parent'] });
  expect(contentOf(path)).toEqual(before);
});

test('inside the transaction the tables read back as they were backed up', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM child'));
  const restore = await loadAll(database, taken);
  for (const table of tablesOf(taken)) {
    expect(await linesOf(restore.readRows(table, unhurried))).toBe(taken.lines.get(table.name));
  }
  await restore.rollback();
  expect(query(path, 'SELECT * FROM child')).toEqual([]);
});

test('rolling back leaves everything as it was and can be done twice', async () => {
  const path = makeDatabase(`${FAMILY}; CREATE TRIGGER g AFTER INSERT ON child BEGIN SELECT 1; END`);
  const database = openSqlite(path);
  const before = contentOf(path);
  const restore = await begin(database, tablesOf(await takeBackup(database)));
  await restore.clear(unhurried);
  await restore.rollback();
  await restore.rollback();
  expect(contentOf(path)).toEqual(before);
});

test('after the commit a rollback does nothing', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM child'));
  const restore = await loadAll(database, taken);
  await restore.commit();
  await restore.rollback();
  expect(query(path, 'SELECT id FROM child')).toEqual([[10], [20]]);
});

test.each([
  ['a CHECK', 'CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (a < 5))', '{"id":2,"a":9}', /CHECK/],
  [
    'a UNIQUE',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE ON CONFLICT REPLACE)',
    '{"id":2,"a":1}',
    /UNIQUE/,
  ],
  [
    'a NOT NULL',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a NOT NULL ON CONFLICT IGNORE)',
    '{"id":2,"a":null}',
    /NOT NULL/,
  ],
  [
    'a STRICT type',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER) STRICT',
    '{"id":2,"a":"x"}',
    /INTEGER/,
  ],
  ['a primary key', 'CREATE TABLE t (id INTEGER PRIMARY KEY, a)', '{"id":1,"a":2}', /UNIQUE|PRIMARY/],
])('a row that %s constraint refuses fails with table and row number', async (_what, sql, line, why) => {
  const path = makeDatabase(sql);
  const restore = await begin(openSqlite(path), [{ schema: null, name: 't', columns: ['id', 'a'] }]);
  await restore.clear(unhurried);
  const lines = chunked(`{"id":1,"a":1}\n${line}\n{"id":3,"a":3}\n`);
  const failure = restore.load({ schema: null, name: 't', columns: ['id', 'a'] }, lines, unhurried);
  await expect(failure).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringMatching(new RegExp(`^Row 2 of the table "t" was refused: .*(${why.source})`)),
  });
  await restore.rollback();
  expect(query(path, 'SELECT * FROM t')).toEqual([]);
});

test.each([
  ['no JSON', '{"a":1'],
  ['no object', '[1]'],
  ['a boolean', '{"a":true}'],
  ['an unknown tag', '{"a":{"$what":"00"}}'],
  ['broken hex', '{"a":{"$blob":"0g"}}'],
  ['odd hex', '{"a":{"$blob":"000"}}'],
  ['an integer of 65 bits', '{"a":9223372036854775808}'],
  ['half a surrogate pair', '{"a":"\\ud800"}'],
])('a line that is no row is refused: %s', async (_what, line) => {
  const table = { schema: null, name: 't', columns: ['a'] };
  const restore = await begin(openSqlite(makeDatabase('CREATE TABLE t (a)')), [table]);
  await restore.clear(unhurried);
  await expect(restore.load(table, chunked(`{"a":1}\n${line}\n`), unhurried)).rejects.toMatchObject({
    code: 'INVALID_CHECKSUM',
    message: expect.stringMatching(/^Row 2 of the table "t" cannot be read/),
  });
  await restore.rollback();
});

test('a failure of the bundle while it is loaded is told as it is, and nothing changes', async () => {
  const path = makeDatabase(FAMILY);
  const before = contentOf(path);
  const table = { schema: null, name: 'parent', columns: ['id', 'name'] };
  const restore = await begin(openSqlite(path), [table]);
  await restore.clear(unhurried);
  const breaking = async function* () {
    yield Buffer.from('{"id":5,"name":"x"}\n{"id"');
    throw new Error('the bundle broke');
  };
  await expect(restore.load(table, breaking(), unhurried)).rejects.toThrow('the bundle broke');
  await restore.rollback();
  expect(contentOf(path)).toEqual(before);
});

test.each([
  ['table', { schema: null, name: 'gone', columns: ['id'] }, '"gone"'],
  ['column', { schema: null, name: 'parent', columns: ['id', 'gone'] }, '"gone"'],
])(
  'a %s that the database does not have is SCHEMA_MISMATCH before anything is touched',
  async (_what, table, name) => {
    const path = makeDatabase(FAMILY);
    await expect(begin(openSqlite(path), [table])).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(name),
    });
    inDatabase(path, (db) => db.exec('BEGIN IMMEDIATE'));
  },
);

test('a column that is new since the backup gets its default', async () => {
  const path = makeDatabase(FAMILY);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec("ALTER TABLE parent ADD COLUMN added TEXT DEFAULT 'new'"));
  await putBack(database, taken);
  expect(query(path, 'SELECT * FROM parent')).toEqual([
    [1, 'a', 'new'],
    [2, 'b', 'new'],
  ]);
});
