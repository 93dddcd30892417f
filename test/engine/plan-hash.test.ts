import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import type { SourceDefinition } from '../../src/catalog/catalog.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres-database.ts';

let holdfast: TestEngine;
const selection = { ...EVERYTHING, envFile: true };
const file = (name: string): string => join(holdfast.root, name);

beforeEach(async () => {
  holdfast = await TestEngine.start();
  const database = new Database(file('app.sqlite'));
  database.exec('CREATE TABLE log (id INTEGER PRIMARY KEY, line TEXT)');
  database.close();
  await copyFile(file('app.sqlite'), file('other.sqlite'));
  for (const name of ['uploads', 'moved', 'env']) await mkdir(file(name));
  await writeFile(file('env/.env'), 'A=1');
});

afterEach(async () => {
  await holdfast.remove();
});

const CHANGES: readonly [string, () => Partial<SourceDefinition>][] = [
  ['another database file', () => ({ database: { kind: 'SQLITE', path: file('other.sqlite') } })],
  [
    'a column that is cleared',
    () => ({ clearedColumns: [{ table: { schema: null, name: 'log' }, columns: ['line'] }] }),
  ],
  [
    'another tree path',
    () => ({ trees: [{ name: 'uploads', path: file('moved'), include: [], exclude: [] }] }),
  ],
  [
    'another path of the env file',
    () => ({ envFile: { path: file('env/.env'), restorePath: file('env/b.env') } }),
  ],
];

test.each(CHANGES)('%s makes an approved plan PLAN_CHANGED', async (_what, change) => {
  const { engine, actor } = holdfast;
  const { id } = await engine.createSource(actor, {
    name: 'Shop',
    database: { kind: 'SQLITE', path: file('app.sqlite') },
    excludedTables: [],
    clearedColumns: [],
    trees: [{ name: 'uploads', path: file('uploads'), include: [], exclude: [] }],
    configTrees: [],
    envFile: { path: file('env/.env'), restorePath: file('env/a.env') },
  });
  const { backupId } = await holdfast.backUp(id, selection);
  const request = { bundle: { backupId }, sourceId: null, selection };
  const { hash } = await engine.restorePlan(actor, request, new AbortController().signal);
  const approved = restoreOf(backupId, { selection, planHash: hash, preRestoreBackup: 'NONE' });
  expect((await holdfast.restore({ ...approved, dryRun: true })).error).toBeNull();
  await engine.updateSource(actor, id, change());
  expect(await holdfast.restore(approved)).toMatchObject({
    status: 'FAILED',
    error: { code: 'PLAN_CHANGED' },
  });
});

test('the globs of the source do not: those of the bundle decide, so the restore is the one that was approved', async () => {
  const { engine, actor } = holdfast;
  const tree = { name: 'uploads', path: file('uploads'), include: [], exclude: ['*.log'] };
  const { id } = await engine.createSource(actor, {
    name: 'Shop',
    database: null,
    excludedTables: [],
    clearedColumns: [],
    trees: [tree],
    configTrees: [],
    envFile: null,
  });
  await writeFile(file('uploads/a.log'), 'kept');
  const { backupId } = await holdfast.backUp(id);
  const request = { bundle: { backupId }, sourceId: null, selection: EVERYTHING };
  const { hash } = await engine.restorePlan(actor, request, new AbortController().signal);
  await engine.updateSource(actor, id, { trees: [{ ...tree, exclude: [] }] });
  const restored = await holdfast.restore(restoreOf(backupId, { planHash: hash, preRestoreBackup: 'NONE' }));
  expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null });
  expect(await readFile(file('uploads/a.log'), 'utf8')).toBe('kept');
});

test('a second, different change of the structure does, also of an object that was changed before', async () => {
  const { engine, actor } = holdfast;
  const change = (view: string) => {
    const database = new Database(file('app.sqlite'));
    database.exec(`DROP VIEW IF EXISTS lines; ${view}`);
    database.close();
  };
  change('CREATE VIEW lines AS SELECT line FROM log');
  const { id } = await engine.createSource(actor, {
    name: 'Shop',
    database: { kind: 'SQLITE', path: file('app.sqlite') },
    excludedTables: [],
    clearedColumns: [],
    trees: [],
    configTrees: [],
    envFile: null,
  });
  const { backupId } = await holdfast.backUp(id);
  change('CREATE VIEW lines AS SELECT id FROM log');
  const request = {
    bundle: { backupId },
    sourceId: null,
    selection: EVERYTHING,
    onDrift: 'RESTORE_SCHEMA',
  } as const;
  const { hash } = await engine.restorePlan(actor, request, new AbortController().signal);
  const order = {
    planHash: hash,
    onDrift: 'RESTORE_SCHEMA',
    preRestoreBackup: 'NONE',
    dryRun: true,
  } as const;
  expect((await holdfast.restore(restoreOf(backupId, order))).error).toBeNull();
  change('CREATE VIEW lines AS SELECT id, line FROM log');
  expect((await holdfast.restore(restoreOf(backupId, order))).error).toMatchObject({ code: 'PLAN_CHANGED' });
});

test('another PostgreSQL database makes it PLAN_CHANGED, another user of the same one does not', async () => {
  const { engine, actor } = holdfast;
  const superuser = inject('postgresUrl');
  const [one, other] = [await createTestDatabase(superuser), await createTestDatabase(superuser)];
  try {
    for (const database of [one, other]) await database.execute('CREATE TABLE log (id integer PRIMARY KEY)');
    const { id } = await engine.createSource(actor, {
      name: 'Shop',
      database: { kind: 'POSTGRESQL', url: one.url },
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    const { backupId } = await holdfast.backUp(id);
    const request = { bundle: { backupId }, sourceId: null, selection: EVERYTHING };
    const { hash } = await engine.restorePlan(actor, request, new AbortController().signal);
    const approved = restoreOf(backupId, { planHash: hash, preRestoreBackup: 'NONE', dryRun: true });
    await engine.updateSource(actor, id, { database: { kind: 'POSTGRESQL', url: one.adminUrl } });
    expect((await holdfast.restore(approved)).error).toBeNull();
    await engine.updateSource(actor, id, { database: { kind: 'POSTGRESQL', url: other.url } });
    expect(await holdfast.restore(approved)).toMatchObject({
      status: 'FAILED',
      error: { code: 'PLAN_CHANGED' },
    });
  } finally {
    await one.dispose();
    await other.dispose();
  }
});
