/** Databases that refuse, bundles that do not fit, and every compression, through an engine on real parts. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Compression } from '../../src/bundle/manifest.ts';
import type { DatabaseSettings } from '../../src/catalog/catalog.ts';
import type { CreateBackupRequest } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase as createMariadb } from '../support/mariadb-database.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres-database.ts';

const SHOP = [
  'CREATE TABLE item (id integer PRIMARY KEY, name varchar(40))',
  "INSERT INTO item VALUES (1, 'one'), (2, NULL)",
];
const signal = new AbortController().signal;
const noSnapshot = { preRestoreBackup: 'NONE' } as const;

let holdfast: TestEngine;
const disposals: (() => Promise<void>)[] = [];

beforeEach(async () => {
  holdfast = await TestEngine.start();
});

afterEach(async () => {
  await holdfast.remove();
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

async function sourceOf(name: string, database: DatabaseSettings): Promise<string> {
  const definition = { name, database, excludedTables: [], clearedColumns: [], trees: [], configTrees: [] };
  return (await holdfast.engine.createSource(holdfast.actor, { ...definition, envFile: null })).id;
}

async function sqliteShop(): Promise<DatabaseSettings> {
  const path = join(holdfast.root, 'shop.sqlite');
  const database = new Database(path);
  for (const statement of SHOP) database.exec(statement);
  database.close();
  return { kind: 'SQLITE', path };
}

async function postgresShop(...statements: string[]): Promise<TestDatabase> {
  const database = await createTestDatabase(inject('postgresUrl'));
  disposals.push(() => database.dispose());
  await database.execute(...SHOP, ...statements);
  return database;
}

function postgres({ url }: TestDatabase): DatabaseSettings {
  return { kind: 'POSTGRESQL', url };
}

/** A backup that may fail. */
async function backUp(request: Omit<CreateBackupRequest, 'selection'>) {
  const record = await holdfast.engine.createBackup(holdfast.actor, { ...request, selection: EVERYTHING });
  return await holdfast.finished(record);
}

describe('a bundle of another kind of database', () => {
  test.each(['REFUSE', 'RESTORE_SCHEMA', 'ADAPT'] as const)(
    'is refused with both kinds named and changes nothing, with %s',
    async (onDrift) => {
      const { backupId } = await holdfast.backUp(await sourceOf('Shop', await sqliteShop()));
      const database = await postgresShop("INSERT INTO item VALUES (3, 'three')");
      const sourceId = await sourceOf('Other', postgres(database));
      const expected = 'The bundle holds a SQLITE database, the target is POSTGRESQL.';
      const request = { bundle: { backupId }, sourceId, selection: EVERYTHING, onDrift };
      const plan = await holdfast.engine.restorePlan(holdfast.actor, request, signal);
      expect(plan.refusals).toContain(expected);
      const restored = await holdfast.restore(
        restoreOf(backupId, { sourceId, allowForeignSource: true, onDrift, ...noSnapshot }),
      );
      expect(restored).toMatchObject({
        status: 'FAILED',
        error: { code: 'INVALID_INPUT', message: expect.stringContaining(expected) },
      });
      expect(await database.query('SELECT count(*) FROM item')).toEqual([['3']]);
    },
  );

  test('is refused by an empty database too, which stays empty', async () => {
    const { backupId } = await holdfast.backUp(await sourceOf('Shop', postgres(await postgresShop())));
    const path = join(holdfast.root, 'empty.sqlite');
    new Database(path).exec('PRAGMA user_version = 0').close();
    const sourceId = await sourceOf('Empty', { kind: 'SQLITE', path });
    const restored = await holdfast.restore(
      restoreOf(backupId, { sourceId, allowForeignSource: true, ...noSnapshot }),
    );
    expect(restored).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_INPUT', message: expect.stringContaining('POSTGRESQL') },
    });
    const database = new Database(path);
    expect(database.prepare('SELECT * FROM sqlite_schema').all()).toEqual([]);
    database.close();
  });
});

describe('a table that the user of the source may not read', () => {
  let sourceId: string;

  beforeEach(async () => {
    const database = await postgresShop('CREATE TABLE zoo (id integer)');
    await database.asAdmin(
      'CREATE TABLE payroll (id integer PRIMARY KEY, salary integer)',
      'INSERT INTO payroll VALUES (1, 2)',
    );
    sourceId = await sourceOf('Shop', postgres(database));
  });

  test('refuses the backup by name before anything is written', async () => {
    const record = await backUp({ sourceId });
    expect(record).toMatchObject({
      status: 'FAILED',
      backupId: null,
      error: {
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/public\.payroll/),
        hint: expect.stringContaining('leaveOutUnreadable'),
      },
    });
    expect(record.error?.message).not.toContain('item');
    expect(await readdir(join(holdfast.directory, 'bundles'), { recursive: true })).not.toContainEqual(
      expect.stringMatching(/\.zip/),
    );
    expect(await holdfast.leftovers()).toEqual([]);
  });

  test('is left out with a warning when asked, and told by the manifest', async () => {
    const record = await backUp({ sourceId, leaveOutUnreadable: true });
    expect(record.error).toBeNull();
    expect(record.warnings.join('\n')).toMatch(/public\.payroll was left out: .*SELECT/);
    const { manifest } = await holdfast.opened.prisma.backup.findUniqueOrThrow({
      where: { id: record.backupId ?? '' },
    });
    expect(manifest).toMatchObject({
      database: { tables: [{ name: 'item', rowCount: 2 }, { name: 'zoo' }] },
      leftOut: [{ name: 'public.payroll', reason: expect.stringContaining('SELECT') }],
    });
  });
});

describe('a database that takes no writes', () => {
  test('is backed up, and refused as a target before anything else happens (PostgreSQL)', async () => {
    const database = await postgresShop();
    const sourceId = await sourceOf('Replica', postgres(database));
    await database.asAdmin(`ALTER ROLE ${database.owner} SET default_transaction_read_only = on`);
    const record = await backUp({ sourceId });
    expect(record).toMatchObject({ status: 'SUCCEEDED', error: null, warnings: [] });

    const backupId = record.backupId ?? '';
    await database.asAdmin('DELETE FROM item WHERE id = 1');
    const restored = await holdfast.restore(restoreOf(backupId, noSnapshot));
    expect(restored).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('read only'), hint: expect.any(String) },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await database.query('SELECT id FROM item')).toEqual([['2']]);
    expect(await holdfast.leftovers()).toEqual([]);
  });

  test('is backed up, and refused as a target before anything else happens (MariaDB)', async ({ skip }) => {
    // One of its own: others need theirs to take writes.
    const server = await startMariadb();
    if (server === undefined) return skip('needs mariadb-server on this machine');
    disposals.push(() => server.stop());
    const database = await createMariadb(server.url);
    await database.execute(...SHOP);
    const sourceId = await sourceOf('Replica', { kind: 'MARIADB', url: database.url });
    await database.asAdmin('SET GLOBAL read_only = 1');
    const record = await backUp({ sourceId });
    expect(record).toMatchObject({ status: 'SUCCEEDED', error: null, warnings: [] });

    await database.asAdmin('DELETE FROM item WHERE id = 1');
    const restored = await holdfast.restore(restoreOf(record.backupId ?? '', noSnapshot));
    expect(restored).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('only allows reading'), hint: expect.any(String) },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await database.query('SHOW TABLES')).toEqual([['item']]);
    expect(await database.query('SELECT id FROM item')).toEqual([['2']]);
    expect(await holdfast.leftovers()).toEqual([]);
  });
});

test.each(['DEFLATE_1', 'DEFLATE_6', 'STORE', 'ZSTD'] satisfies Compression[])(
  'a backup compressed by %s is made, verified and restored',
  async (compression) => {
    const database = await postgresShop(
      "INSERT INTO item SELECT i, 'row ' || i FROM generate_series(3, 20000) i",
    );
    const before = await database.query('SELECT * FROM item ORDER BY id');
    const record = await backUp({ sourceId: await sourceOf('Shop', postgres(database)), compression });
    expect(record.error).toBeNull();
    const backupId = record.backupId ?? '';
    const { manifest, sizeBytes } = await holdfast.opened.prisma.backup.findUniqueOrThrow({
      where: { id: backupId },
    });
    expect(manifest).toMatchObject({ compression });
    // Stored rows take as much as they are; any compression of these makes them far smaller.
    const small = 300_000;
    if (compression === 'STORE') expect(Number(sizeBytes)).toBeGreaterThan(small);
    else expect(Number(sizeBytes)).toBeLessThan(small);

    const verified = await holdfast.finished(
      await holdfast.engine.verifyBackup(holdfast.actor, { backupId, level: 'CONTENT' }),
    );
    expect(verified.result).toMatchObject({ verdict: 'PASSED' });
    await database.execute('DELETE FROM item WHERE id % 3 = 0', "UPDATE item SET name = 'other'");
    const restored = await holdfast.restore(restoreOf(backupId, noSnapshot));
    expect(restored).toMatchObject({ error: null, result: { proven: true, rowsRestored: 20_000 } });
    expect(await database.query('SELECT * FROM item ORDER BY id')).toEqual(before);
  },
);
