/** The usual target after a disaster: a path at which nothing stands. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { inDatabase, makeDatabase, temporaryDirectory, unhurried } from '../../../support/sqlite-database.ts';
import { killedRestore } from '../../../support/sqlite-killed-restore.ts';
import { everythingIn, loadWhole, putWholeBack, takeWholeBackup } from './whole-database.ts';

const CONTENT = `PRAGMA user_version = 7; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b AS (a || '!'));
  INSERT INTO t (id, a) VALUES (1, 'x'), (9007199254740993, x'00'); CREATE INDEX t_a ON t (a)`;
const RESTORE_ID = 'whole-1';

function nowhere(): string {
  return join(temporaryDirectory(), 'new.sqlite');
}

/** Of a restore that makes its structure. */
async function loaded(path: string) {
  const taken = await takeWholeBackup(openSqlite(makeDatabase(CONTENT)));
  return await loadWhole(openSqlite(path), taken, { mode: 'CREATE' });
}

test('a file that does not exist is described as an empty database, and not made by that', async () => {
  const path = nowhere();
  const description = await openSqlite(path).describe(unhurried);
  expect(description).toMatchObject({ empty: true, tables: [], databaseName: 'new.sqlite' });
  expect(existsSync(path)).toBe(false);
});

test.each(['CREATE', 'REPLACE'] as const)('%s makes the file, and everything is in it', async (mode) => {
  const from = makeDatabase(CONTENT);
  const path = nowhere();
  await putWholeBack(openSqlite(path), await takeWholeBackup(openSqlite(from)), { mode });
  expect(everythingIn(path)).toEqual(everythingIn(from));
});

test('after the decision nothing but the file is left', async () => {
  const path = nowhere();
  const restore = await loaded(path);
  const ticket = await restore.ticket();
  await restore.commit();
  expect(await openSqlite(path).outcome(ticket, unhurried)).toBe('COMMITTED');
  await openSqlite(path).forget(ticket, unhurried);
  await openSqlite(path).sweep(RESTORE_ID, unhurried);
  expect(readdirSync(dirname(path))).toEqual(['new.sqlite']);
});

test('a restore that is rolled back leaves no file, also when it is asked about afterwards', async () => {
  const path = nowhere();
  const restore = await loaded(path);
  const ticket = await restore.ticket();
  await restore.rollback();
  expect(readdirSync(dirname(path))).toEqual([]);
  for (const _ of ['once', 'twice']) {
    expect(await openSqlite(path).outcome(ticket, unhurried)).toBe('ROLLED_BACK');
  }
  expect(readdirSync(dirname(path))).toEqual([]);
});

test('a restore that is refused leaves no file', async () => {
  const path = nowhere();
  const schema = {
    mode: 'CREATE',
    script: { before: [{ object: 'TABLE t', sql: 'DROP TABLE t' }], after: [], notCarried: [] },
  } as const;
  const request = {
    schema,
    tables: [],
    clearedColumns: [],
    lockTimeoutMs: 1000,
    endSessions: false,
    restoreId: RESTORE_ID,
  };
  const failed = openSqlite(path)
    .beginRestore(request, unhurried)
    .then(async (restore) => {
      await restore.clear(unhurried).finally(() => restore.rollback());
    });
  await expect(failed).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  expect(readdirSync(dirname(path))).toEqual([]);
});

test.each(['sweep', 'outcome'] as const)('after a kill -9 %s leaves no file', async (how) => {
  const path = nowhere();
  const ticket = await killedRestore({
    path,
    request: {
      schema: {
        mode: 'CREATE',
        script: { before: [{ object: 'TABLE t', sql: 'CREATE TABLE t (a)' }], after: [], notCarried: [] },
      },
      tables: [{ schema: null, name: 't', columns: ['a'] }],
      clearedColumns: [],
      lockTimeoutMs: 1000,
      endSessions: false,
      restoreId: RESTORE_ID,
    },
    rows: ['{"a":1}\n'],
    sequences: [],
    when: 'BEFORE COMMIT',
  });
  expect(existsSync(path)).toBe(true);
  if (how === 'sweep') await openSqlite(path).sweep(RESTORE_ID, unhurried);
  else expect(await openSqlite(path).outcome(ticket, unhurried)).toBe('ROLLED_BACK');
  expect(readdirSync(dirname(path))).toEqual([]);
});

test('what an application has put into the file meanwhile stays', async () => {
  const path = nowhere();
  const restore = await loaded(path);
  await restore.ticket();
  await restore.rollback();
  inDatabase(path, (db) => db.exec('CREATE TABLE mine (a)'));
  await openSqlite(path).sweep(RESTORE_ID, unhurried);
  expect(inDatabase(path, (db) => db.prepare('SELECT name FROM sqlite_schema').pluck().all())).toEqual([
    'mine',
  ]);
});

test('a file that is gone together with its directory is not taken for a rollback', async () => {
  const path = nowhere();
  const restore = await loaded(path);
  const ticket = await restore.ticket();
  await restore.commit();
  rmSync(path);
  const elsewhere = openSqlite(nowhere());
  await expect(elsewhere.outcome(ticket, unhurried)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
});

test('the log that a lost database left is not deleted by the new one', async () => {
  const path = nowhere();
  writeFileSync(`${path}-wal`, 'the last rows of the old one');
  await expect(loaded(path)).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('new.sqlite-wal'),
    hint: expect.stringContaining('move it away'),
  });
  expect(readFileSync(`${path}-wal`, 'utf8')).toBe('the last rows of the old one');
  expect(existsSync(path)).toBe(false);
});
