import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import type { DatabaseSnapshot, Table } from '../../../../src/source/source.ts';
import {
  inDatabase,
  linesOf,
  makeDatabase,
  readSnapshot,
  takeBackup,
  temporaryDirectory,
  unhurried,
} from '../../../support/sqlite-database.ts';

const PAIR = 'CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY)';

test('a WAL database that is written to meanwhile is seen as it was at one moment', async () => {
  const path = makeDatabase(`PRAGMA journal_mode = WAL; ${PAIR}`);
  const writer = new Database(path);
  onTestFinished(() => void writer.close());
  const write = writer.transaction(() => {
    for (const table of ['a', 'b']) writer.exec(`INSERT INTO ${table} DEFAULT VALUES`);
  });
  for (let row = 0; row < 5000; row += 1) write();
  const snapshot = await openSqlite(path).openSnapshot(unhurried);
  onTestFinished(() => snapshot.close());
  write();
  const a = await linesOf(snapshot.readRows(table(snapshot, 'a'), unhurried));
  writer.exec('DELETE FROM b; DROP TABLE a');
  const b = await linesOf(snapshot.readRows(table(snapshot, 'b'), unhurried));
  expect(a.split('\n')).toHaveLength(5001);
  expect(b).toBe(a);
  expect(Date.now() - snapshot.instant.getTime()).toBeLessThan(60_000);
});

test('a WAL database whose shared memory file is missing is read with what its WAL holds', async () => {
  const path = makeDatabase(`PRAGMA journal_mode = WAL; ${PAIR}; INSERT INTO a VALUES (1)`);
  const copy = join(temporaryDirectory(), 'copy.sqlite');
  inDatabase(path, (db) => {
    db.pragma('wal_autocheckpoint = 0');
    db.exec('INSERT INTO a VALUES (2)');
    // As a file copy made under a running application, or a crash, leaves it.
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
  });
  expect(existsSync(`${copy}-shm`)).toBe(false);
  const taken = await takeBackup(openSqlite(copy));
  expect(taken.lines.get('a')).toBe('{"id":1}\n{"id":2}\n');
});

test('reading changes nothing in the database', async () => {
  const path = makeDatabase(`${PAIR}; INSERT INTO a VALUES (1)`);
  const fingerprint = () => inDatabase(path, (db) => db.serialize().toString('base64'));
  const before = fingerprint();
  await takeBackup(openSqlite(path));
  expect(fingerprint()).toBe(before);
});

test('a reader that stops early can go on with another table', async () => {
  const path = makeDatabase(`${PAIR}; INSERT INTO b VALUES (7)`, (db) => {
    const insert = db.prepare('INSERT INTO a DEFAULT VALUES');
    db.transaction(() => {
      for (let row = 0; row < 300_000; row += 1) insert.run();
    })();
  });
  const snapshot = await openSqlite(path).openSnapshot(unhurried);
  onTestFinished(() => snapshot.close());
  for await (const chunk of snapshot.readRows(table(snapshot, 'a'), unhurried)) {
    expect(chunk.toString()).toContain('{"id":1}\n');
    break;
  }
  expect(await linesOf(snapshot.readRows(table(snapshot, 'b'), unhurried))).toBe('{"id":7}\n');
});

test('a table that the snapshot does not have is SCHEMA_MISMATCH, and the others stay readable', async () => {
  const snapshot = await openSqlite(makeDatabase(PAIR)).openSnapshot(unhurried);
  onTestFinished(() => snapshot.close());
  const gone = { ...table(snapshot, 'a'), name: 'gone' };
  await expect(linesOf(snapshot.readRows(gone, unhurried))).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('"gone"'),
  });
  expect(await linesOf(snapshot.readRows(table(snapshot, 'a'), unhurried))).toBe('');
});

test('after close nothing can be read, and closing twice is fine', async () => {
  const snapshot = await openSqlite(makeDatabase(PAIR)).openSnapshot(unhurried);
  await snapshot.close();
  await snapshot.close();
  await expect(readSnapshot(snapshot)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
});

function table(snapshot: DatabaseSnapshot, name: string): Table {
  const { tables } = snapshot.description;
  const found = tables.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no table ${name}`);
  return found;
}
