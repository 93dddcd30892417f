import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import {
  begin,
  contentOf,
  inDatabase,
  makeDatabase,
  putBack,
  tablesOf,
  takeBackup,
  temporaryDirectory,
  unhurried,
} from '../../../support/sqlite-database.ts';

const TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x')";
const READERS = ['describe', 'openSnapshot'] as const;
const isRoot = process.getuid?.() === 0;

test.each([
  [
    'is in a directory that does not exist',
    () => join(temporaryDirectory(), 'none', 'none.sqlite'),
    /does not exist/,
  ],
  ['is a directory', () => temporaryDirectory(), /is not a file/],
  ['is no database', () => written('This is certainly no database. '.repeat(100)), /not a SQLite database/],
  ['is encrypted', () => written(Buffer.alloc(8192, 0x9d)), /encrypted/],
])('a path that %s is SOURCE_UNREACHABLE, with what to do', async (_what, make, why) => {
  const database = openSqlite(make());
  for (const reader of READERS) {
    await expect(database[reader](unhurried)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringMatching(why),
      hint: expect.any(String),
    });
  }
  await expect(begin(database, [])).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
});

test('nobody gets a backup of a path at which nothing stands', async () => {
  const database = openSqlite(join(temporaryDirectory(), 'none.sqlite'));
  const missing = { code: 'SOURCE_UNREACHABLE', message: expect.stringContaining('does not exist') };
  await expect(database.openSnapshot(unhurried)).rejects.toMatchObject(missing);
  await expect(begin(database, [])).rejects.toMatchObject(missing);
});

test('a database that is cut off is SOURCE_UNREACHABLE', async () => {
  const path = makeDatabase('CREATE TABLE t (a)', (db) => {
    for (let row = 0; row < 100; row += 1) db.prepare('INSERT INTO t VALUES (?)').run('x'.repeat(1000));
  });
  truncateSync(path, 20_000);
  await expect(takeBackup(openSqlite(path))).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('damaged'),
  });
});

test.skipIf(isRoot)('a file that may not be read is SOURCE_UNREACHABLE (not as root, who may)', async () => {
  const path = makeDatabase(TABLE);
  chmodSync(path, 0);
  await expect(openSqlite(path).describe(unhurried)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
});

test('a database that another process has locked is SOURCE_BUSY to readers', async () => {
  const path = makeDatabase(TABLE);
  hold(path, 'BEGIN EXCLUSIVE');
  const database = openSqlite(path, { busyTimeoutMs: 50 });
  for (const reader of READERS) {
    await expect(database[reader](unhurried)).rejects.toMatchObject({
      code: 'SOURCE_BUSY',
      hint: expect.stringContaining('Stop the application'),
    });
  }
});

test('a restore waits for a writer no longer than it may, then is SOURCE_BUSY', async () => {
  const path = makeDatabase(TABLE);
  const database = openSqlite(path);
  const tables = tablesOf(await takeBackup(database));
  hold(path, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2, 'y')");
  await expect(begin(database, tables, { lockTimeoutMs: 50 })).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
});

test('a commit that a reader holds up is SOURCE_BUSY and can be rolled back', async () => {
  const path = makeDatabase(TABLE);
  const before = contentOf(path);
  const database = openSqlite(path);
  const tables = tablesOf(await takeBackup(database));
  const reader = hold(path, 'BEGIN; SELECT * FROM t');
  reader.prepare('SELECT * FROM t').all();
  const restore = await begin(database, tables, { lockTimeoutMs: 50 });
  await restore.clear(unhurried);
  await restore.finish([], unhurried);
  const ticket = await restore.ticket();
  await expect(restore.commit()).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
  await restore.rollback();
  reader.exec('COMMIT');
  expect(await database.outcome(ticket, unhurried)).toBe('ROLLED_BACK');
  expect(contentOf(path)).toEqual(before);
});

test('a database that cannot be written is SOURCE_UNREACHABLE to a restore, with what to do', async () => {
  const path = makeDatabase(TABLE);
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  // The header says that only a newer SQLite may write: read-only for everybody, root included.
  writeSync(openSync(path, 'r+'), Buffer.of(3), 0, 1, 18);
  await expect(putBack(database, taken)).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('cannot be written'),
    hint: expect.stringContaining('right to write'),
  });
});

test.skipIf(!isRoot)(
  'a full disk is STORAGE_FULL and leaves the database as it was (only root can mount a small one)',
  async () => {
    const directory = temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', directory]);
    onTestFinished(() => void execFileSync('umount', [directory]));
    const path = join(directory, 'application.sqlite');
    copyFileSync(makeDatabase(TABLE), path);
    const before = contentOf(path);
    const database = openSqlite(path);
    const restore = await begin(database, tablesOf(await takeBackup(database)));
    await restore.clear(unhurried);
    const tooMuch = async function* () {
      for (let id = 1; id <= 30_000; id += 1) yield Buffer.from(`{"id":${id},"a":"${'x'.repeat(1000)}"}\n`);
    };
    const table = { schema: null, name: 't', columns: ['id', 'a'] };
    const failure = expect(restore.load(table, tooMuch(), unhurried)).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      hint: expect.stringContaining('Make room'),
    });
    await failure;
    await restore.rollback();
    expect(contentOf(path)).toEqual(before);
  },
);

test('an outcome that cannot be known now is SOURCE_UNREACHABLE', async () => {
  const path = join(temporaryDirectory(), 'unmounted.sqlite');
  const ticket = { kind: 'SQLITE', marker: 'holdfast_restore_1' };
  await expect(openSqlite(path).outcome(ticket, unhurried)).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('not known'),
  });
});

test('a ticket of another kind is not taken for a table to drop', async () => {
  const path = makeDatabase('CREATE TABLE users (a)');
  const ticket = { kind: 'SQLITE', marker: 'users' };
  await expect(openSqlite(path).forget(ticket, unhurried)).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(inDatabase(path, (db) => db.prepare('SELECT count(*) FROM users').pluck().get())).toBe(0);
});

function written(content: string | Buffer): string {
  const path = join(temporaryDirectory(), 'file.sqlite');
  writeFileSync(path, content);
  return path;
}

/** An application with a transaction open until the test ends. */
function hold(path: string, sql: string): Database.Database {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  db.exec(sql);
  return db;
}
