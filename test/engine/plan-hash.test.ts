import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceDefinition } from '../../src/catalog/catalog.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';

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
