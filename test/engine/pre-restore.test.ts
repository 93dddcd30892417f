import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Selection } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';

let holdfast: TestEngine;
let sourceId: string;
let beforeStore: (() => Promise<void>) | undefined;
const WITH_ENV = { ...EVERYTHING, envFile: true };
const ONLY_ENV = { database: false, tables: null, trees: [], configTrees: [], envFile: true };

function inDatabase<T>(use: (database: Database.Database) => T): T {
  const database = new Database(join(holdfast.root, 'app.sqlite'));
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const logs = (): unknown => inDatabase((database) => database.prepare('SELECT * FROM log').all());
const file = (name: string): string => join(holdfast.root, name);
const text = async (name: string): Promise<string> => await readFile(file(name), 'utf8');

beforeEach(async () => {
  beforeStore = undefined;
  holdfast = await TestEngine.start(({ storage }) => ({
    storage: {
      ...storage,
      async create(key, signal) {
        await beforeStore?.();
        return await storage.create(key, signal);
      },
    },
  }));
  inDatabase((database) =>
    database.exec(`CREATE TABLE log (id INTEGER PRIMARY KEY, line TEXT); INSERT INTO log VALUES (1, 'old')`),
  );
  await mkdir(file('uploads'));
  await mkdir(file('env'));
  await writeFile(file('uploads/a.txt'), 'old');
  await writeFile(file('env/.env'), 'OLD=1');
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Shop',
    database: { kind: 'SQLITE', path: file('app.sqlite') },
    excludedTables: [],
    clearedColumns: [],
    trees: [{ name: 'uploads', path: file('uploads'), include: [], exclude: [] }],
    configTrees: [],
    envFile: { path: file('env/.env'), restorePath: file('env/restored.env') },
  });
  sourceId = source.id;
});

afterEach(async () => {
  await holdfast.remove();
});

async function undo(result: unknown, selection: Selection = WITH_ENV): Promise<void> {
  const { preRestoreBackupId } = result as { preRestoreBackupId: string };
  const undone = await holdfast.restore(
    restoreOf(preRestoreBackupId, { preRestoreBackup: 'NONE', selection }),
  );
  expect(undone.error).toBeNull();
}

test('the undo brings back all that was replaced, whatever the source leaves out of backups today', async () => {
  const { backupId } = await holdfast.backUp(sourceId, WITH_ENV);
  inDatabase((database) => database.exec(`UPDATE log SET line = 'new'`));
  await rm(file('uploads/a.txt'));
  await writeFile(file('uploads/b.log'), 'new');
  await writeFile(file('env/restored.env'), 'NEW=1');
  await holdfast.engine.updateSource(holdfast.actor, sourceId, {
    excludedTables: [{ schema: null, name: 'log' }],
    trees: [{ name: 'uploads', path: file('uploads'), include: [], exclude: ['**/*.log'] }],
  });
  const restored = await holdfast.restore(restoreOf(backupId, { selection: WITH_ENV }));
  expect(restored.error).toBeNull();
  expect(logs()).toEqual([{ id: 1, line: 'old' }]);
  await expect(text('uploads/b.log')).rejects.toThrow('ENOENT');
  expect(await text('env/restored.env')).toBe('OLD=1');
  await undo(restored.result);
  expect(logs()).toEqual([{ id: 1, line: 'new' }]);
  expect(await text('uploads/b.log')).toBe('new');
  await expect(text('uploads/a.txt')).rejects.toThrow('ENOENT');
  expect(await text('env/restored.env')).toBe('NEW=1');
});

test('the undo brings back columns that a restore clears', async () => {
  const { backupId } = await holdfast.backUp(sourceId);
  await holdfast.engine.updateSource(holdfast.actor, sourceId, {
    clearedColumns: [{ table: { schema: null, name: 'log' }, columns: ['line'] }],
  });
  const restored = await holdfast.restore(restoreOf(backupId));
  expect(logs()).toEqual([{ id: 1, line: null }]);
  inDatabase((database) => database.exec(`DELETE FROM log`));
  await undo(restored.result, EVERYTHING);
  expect(logs()).toEqual([{ id: 1, line: 'old' }]);
});

test('a tree that became a link to the directory of the database is not restored', async () => {
  const { backupId } = await holdfast.backUp(sourceId);
  await rm(file('uploads'), { recursive: true });
  await symlink(holdfast.root, file('uploads'));
  const record = await holdfast.restore(restoreOf(backupId));
  expect(record).toMatchObject({ status: 'FAILED', result: { targetState: 'WHOLLY_OLD' } });
  expect(record.error?.message).toContain('lies inside');
  await rm(file('uploads'));
});

test('the env file alone is kept before it is replaced', async () => {
  const { backupId } = await holdfast.backUp(sourceId, ONLY_ENV);
  await writeFile(file('env/restored.env'), 'NEW=1');
  const restored = await holdfast.restore(restoreOf(backupId, { selection: ONLY_ENV }));
  expect(await text('env/restored.env')).toBe('OLD=1');
  await undo(restored.result);
  expect(await text('env/restored.env')).toBe('NEW=1');
});

describe('when the snapshot is canceled', () => {
  const snapshot = () =>
    holdfast.opened.prisma.record.findFirstOrThrow({ where: { parentId: { not: null } } });
  const message = 'The snapshot before the restore was canceled.';

  test('alone, the restore fails, says so and is not canceled itself', async () => {
    const { backupId } = await holdfast.backUp(sourceId);
    inDatabase((database) => database.exec(`UPDATE log SET line = 'new'`));
    beforeStore = async () => {
      await holdfast.engine.cancelRecord(holdfast.actor, (await snapshot()).id);
    };
    const record = await holdfast.restore(restoreOf(backupId));
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'CANCELED', message } });
    expect(logs()).toEqual([{ id: 1, line: 'new' }]);
  });

  test('after another server was asked to cancel the restore, that is canceled as well', async () => {
    const { backupId } = await holdfast.backUp(sourceId);
    beforeStore = async () => {
      const { id, parentId } = await snapshot();
      await holdfast.opened.catalog.records.requestCancel(holdfast.actor.workspaceId, parentId ?? '');
      await holdfast.engine.cancelRecord(holdfast.actor, id);
    };
    const record = await holdfast.restore(restoreOf(backupId));
    expect(record).toMatchObject({ status: 'CANCELED', error: { code: 'CANCELED', message } });
  });
});
