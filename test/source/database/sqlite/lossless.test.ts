import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { inDatabase, makeDatabase, putBack, query, takeBackup } from '../../../support/sqlite-database.ts';
import { emptyFile, everythingIn, putWholeBack, takeWholeBackup } from './whole-database.ts';

const BIG = "replace(hex(zeroblob(40000)), '00', 'big')";

test.each([
  ['gaps', "INSERT INTO t (rowid, a) VALUES (1, 'a'), (2, 'b'), (4, 'c'), (5, 'd'), (100, 'e')"],
  ['a late beginning', "INSERT INTO t (rowid, a) VALUES (7, 'a'), (8, 'b')"],
  [
    'the ends of the range',
    "INSERT INTO t (rowid, a) VALUES (-9223372036854775808, 'a'), (-9223372036854775807, 'b'), (0, 'c'), (1, 'd'), (9223372036854775806, 'e'), (9223372036854775807, 'f')",
  ],
  [
    'values that are no JSON between',
    "INSERT INTO t (rowid, a) VALUES (1, x'00'), (2, CAST(x'ff' AS TEXT)), (3, -0.0), (9, 'b'), (11, CAST(x'610062' AS TEXT))",
  ],
  [
    'big values between',
    `INSERT INTO t (rowid, a) VALUES (1, 'a'), (2, ${BIG}), (3, 'b'), (5, ${BIG}), (6, 'c'), (7, x'00'), (8, ${BIG})`,
  ],
  ['none', "INSERT INTO t (a) VALUES ('a'), (1), (2.0)"],
])('rowids that nobody named come back, with %s', async (_what, sql) => {
  const path = makeDatabase(`CREATE TABLE t (a); ${sql}`);
  const before = everythingIn(path);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec("DELETE FROM t; INSERT INTO t VALUES ('other')"));
  await putBack(database, taken);
  expect(everythingIn(path)).toEqual(before);
  expect((await takeBackup(database)).lines).toEqual(taken.lines);
});

test('a rowid is said only where it cannot be guessed', async () => {
  const { lines } = await takeBackup(
    openSqlite(
      makeDatabase(`CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (1, 1), (2, 2), (4, ${BIG}), (5, 5), (9, 9);
        CREATE TABLE k (id INTEGER PRIMARY KEY); INSERT INTO k VALUES (5), (9);
        CREATE TABLE own ("$rowid"); INSERT INTO own (rowid, "$rowid") VALUES (5, 'a')`),
    ),
  );
  expect(lines.get('t')?.replace(/big+(big)+/g, 'big')).toBe(
    '{"a":1}\n{"a":2}\n{"$rowid":4,"a":"big"}\n{"a":5}\n{"$rowid":9,"a":9}\n',
  );
  expect(lines.get('k')).toBe('{"id":5}\n{"id":9}\n');
  expect(lines.get('own')).toBe('{"$rowid_":5,"$rowid":"a"}\n');
});

test.each(['le', 'be'])('text of UTF-16%s that is no valid text comes back', async (order) => {
  const path = makeDatabase(`PRAGMA encoding = 'UTF-16${order}'; CREATE TABLE t (a TEXT, b);
    INSERT INTO t VALUES (CAST(x'${order === 'le' ? '610000d8' : '0061d800'}' AS TEXT), 'plain'), ('é', char(0))`);
  const before = everythingIn(path);
  const taken = await takeWholeBackup(openSqlite(path));
  expect(taken.lines.get('t')).toBe(
    '{"a":{"$text16":"610000D8"},"b":"plain"}\n{"a":"é","b":{"$text":"00"}}\n',
  );
  const target = emptyFile();
  await putWholeBack(openSqlite(target), taken, { mode: 'CREATE' });
  expect(everythingIn(target)).toEqual(before);
});

test('text that a database of another encoding cannot store is refused', async () => {
  const taken = await takeBackup(
    openSqlite(
      makeDatabase(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a); INSERT INTO t VALUES (CAST(x'00d8' AS TEXT))",
      ),
    ),
  );
  const path = makeDatabase('CREATE TABLE t (a)');
  await expect(putBack(openSqlite(path), taken)).rejects.toMatchObject({
    message: expect.stringMatching(/^Row 1 of the table "t" .* cannot store/),
  });
});

test('blobs that look like the inside of JSON are blobs in every column', async () => {
  const path = makeDatabase(`CREATE TABLE t (a TEXT, b INTEGER, c BLOB, d REAL);
    INSERT INTO t SELECT value, value, value, value FROM (SELECT x'00' AS value UNION ALL SELECT x'02' UNION ALL SELECT jsonb('{"a":[1,2]}') UNION ALL SELECT jsonb('"x"'))`);
  const before = everythingIn(path);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM t'));
  await putBack(database, taken);
  expect(everythingIn(path)).toEqual(before);
});

test('many rows with gaps come back, also those between pages', async () => {
  const path = makeDatabase(`CREATE TABLE t (a, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, 'text ' || i FROM n;
    DELETE FROM t WHERE a % 7 = 3 OR a BETWEEN 5000 AND 9000`);
  const before = everythingIn(path);
  const target = emptyFile();
  await putWholeBack(openSqlite(target), await takeWholeBackup(openSqlite(path)), { mode: 'CREATE' });
  expect(everythingIn(target)).toEqual(before);
});

test('a whole restore sets the numbers in the header, one of single tables leaves them', async () => {
  const path = makeDatabase(
    'CREATE TABLE t (a); PRAGMA user_version = 12; PRAGMA application_id = 305419896',
  );
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  const numbers = () => [query(path, 'PRAGMA user_version'), query(path, 'PRAGMA application_id')];
  const before = numbers();
  const change = () =>
    inDatabase(path, (db) => db.exec('PRAGMA user_version = 13; PRAGMA application_id = -1'));
  change();
  const changed = numbers();
  // The engine hands over only what belongs to the tables then.
  await putBack(database, { ...taken, sequences: [] });
  expect(numbers()).toEqual(changed);
  await putBack(database, taken);
  expect(numbers()).toEqual(before);
});

test('what ANALYZE found stays when indexes are rebuilt', async () => {
  const path = makeDatabase(
    'CREATE TABLE t (a, b); CREATE INDEX t_a ON t (a); INSERT INTO t VALUES (1, 2), (1, 3); ANALYZE',
  );
  const statistics = () => query(path, 'SELECT * FROM sqlite_stat1');
  const before = statistics();
  const database = openSqlite(path);
  await putBack(database, await takeBackup(database));
  expect(before).toHaveLength(1);
  expect(statistics()).toEqual(before);
});

test('a unique index that the rows break is named, and nothing changes', async () => {
  const path = makeDatabase('CREATE TABLE t (a); INSERT INTO t VALUES (1), (1)');
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  inDatabase(path, (db) => db.exec('DELETE FROM t WHERE rowid = 2; CREATE UNIQUE INDEX once ON t (a)'));
  const before = everythingIn(path);
  await expect(putBack(database, taken)).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('"once"'),
    hint: expect.stringContaining('"t"'),
  });
  expect(everythingIn(path)).toEqual(before);
});

test('names that SQLite uses for databases and tables of its own survive', async () => {
  const path = makeDatabase(
    `CREATE TABLE main (temp, "main.main"); INSERT INTO main VALUES (1, 2); CREATE TABLE temp (x); INSERT INTO temp VALUES (3);
     CREATE TABLE "main.temp" (y); INSERT INTO "main.temp" VALUES (4); CREATE TABLE this (this, earlier, k, said, c0); INSERT INTO this VALUES (1, 2, 3, 4, 5);
     CREATE TABLE holdfast_dangling_before (a); INSERT INTO holdfast_dangling_before VALUES (7);
     CREATE TABLE sqliteX (a); INSERT INTO sqliteX VALUES (8); CREATE INDEX "a.b" ON "main.temp" (y)`,
  );
  const before = everythingIn(path);
  const target = emptyFile();
  const taken = await takeWholeBackup(openSqlite(path));
  await putWholeBack(openSqlite(target), taken, { mode: 'CREATE' });
  expect(everythingIn(target)).toEqual(before);
  await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
  expect(everythingIn(path)).toEqual(before);
});
