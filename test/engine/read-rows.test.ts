/** Pages of rows, read straight from a bundle by an engine on real parts. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';

const signal = new AbortController().signal;
const MIB = 1024 * 1024;

let holdfast: TestEngine;
let backupId: string;

beforeAll(async () => {
  holdfast = await TestEngine.start();
  const path = join(holdfast.root, 'app.sqlite');
  const database = new Database(path);
  database.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, value)');
  const insert = database.prepare('INSERT INTO item (value) VALUES (?)');
  const values = [9_007_199_254_740_993n, 0.1, null, 'text "\n☃', Buffer.from([0, 255]), 'x'.repeat(2 * MIB)];
  for (const value of values) insert.run(value);
  for (let row = values.length; row < 10; row += 1) insert.run('y'.repeat(MIB - 1024));
  for (let row = 10; row < 250; row += 1) insert.run(row);
  database.close();
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Shop',
    database: { kind: 'SQLITE', path },
    excludedTables: [],
    clearedColumns: [],
    trees: [],
    configTrees: [],
    envFile: null,
  });
  backupId = (await holdfast.backUp(source.id)).backupId;
});

afterAll(() => holdfast.remove());

function rows(from: number, count: number, name = 'item') {
  return holdfast.engine.readRows(holdfast.actor, backupId, { schema: null, name }, { from, count }, signal);
}

describe('a page of rows of a backup', () => {
  test('holds every value, also what no number of JavaScript can', async () => {
    expect((await rows(0, 5)).map(({ row }) => row)).toEqual([
      { id: 1, value: '9007199254740993' },
      { id: 2, value: 0.1 },
      { id: 3, value: null },
      { id: 4, value: 'text "\n☃' },
      { id: 5, value: { $blob: '00FF' } },
    ]);
  });

  test('starts anywhere and ends with the table', async () => {
    const page = await rows(247, 100);
    expect(page.map(({ index, row }) => [index, row])).toEqual([
      [247, { id: 248, value: 247 }],
      [248, { id: 249, value: 248 }],
      [249, { id: 250, value: 249 }],
    ]);
    expect(await rows(250, 20)).toEqual([]);
  });

  test('tells a row that is too large by its size, and goes on behind it', async () => {
    const page = await rows(4, 3);
    expect(page[1]).toMatchObject({ index: 5, row: null });
    expect(page[1]?.sizeBytes).toBeGreaterThan(2 * MIB);
    expect(page[2]).toMatchObject({ index: 6, row: { id: 7 } });
  });

  test('is refused when its rows are too large together, with how many fit', async () => {
    expect(await rows(6, 4)).toHaveLength(4);
    const database = new Database(join(holdfast.root, 'large.sqlite'));
    database.exec(`CREATE TABLE item (value); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
      WHERE i < 9) INSERT INTO item SELECT hex(zeroblob(300000)) FROM n`);
    database.close();
    const source = await holdfast.engine.createSource(holdfast.actor, {
      name: 'Large',
      database: { kind: 'SQLITE', path: join(holdfast.root, 'large.sqlite') },
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    const large = (await holdfast.backUp(source.id)).backupId;
    const read = (count: number) =>
      holdfast.engine.readRows(
        holdfast.actor,
        large,
        { schema: null, name: 'item' },
        { from: 0, count },
        signal,
      );
    await expect(read(9)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('4 MiB'),
      hint: expect.stringContaining('the first 6 of them fit'),
    });
    expect(await read(6)).toHaveLength(6);
  });

  test('is refused for more rows than a page has, and for tables and backups that are not there', async () => {
    await expect(rows(0, 101)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(rows(-1, 1)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(rows(0, 1, 'other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const stranger = { ...holdfast.actor, workspaceId: 'another' };
    await expect(
      holdfast.engine.readRows(
        stranger,
        backupId,
        { schema: null, name: 'item' },
        { from: 0, count: 1 },
        signal,
      ),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is no page but an error when the bundle is damaged there', async () => {
    const { storageKey } = await holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
    const path = join(holdfast.directory, 'bundles', storageKey);
    const whole = await readFile(path);
    const entry = whole.indexOf('db/item');
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, entry + 40, entry + 80);
    await writeFile(path, damaged);
    try {
      await expect(rows(0, 5)).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_/) });
    } finally {
      await writeFile(path, whole);
    }
  });
});
