import { chmod, cp, mkdir, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Application, createApplication, damage, measure } from '../../client/demo/application.ts';
import { differences } from '../../client/demo/fingerprint.ts';

let directory: string;
let original: Application;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-fingerprint-'));
  original = await createApplication(join(directory, 'original'), 1000);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let copies = 0;
async function copy(): Promise<Application> {
  const target = join(directory, `copy-${++copies}`);
  await mkdir(target);
  await cp(original.directory, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return { directory: target, database: join(target, 'agents.db'), files: join(target, 'workspace') };
}

test('two applications made alike measure alike', async () => {
  const twin = await createApplication(join(directory, 'twin'), 1000);
  const { tables } = differences(await measure(original), await measure(twin));
  expect(tables).toEqual([]);
  expect(differences(await measure(twin), await measure(twin))).toEqual({ tables: [], paths: [] });
});

test.each([
  ['one bit of a large number', 'UPDATE traces SET span = span + 1 WHERE id = 5', 'traces'],
  ['NULL instead of an empty text', `UPDATE skills SET description = NULL WHERE id = 1`, 'skills'],
  ['a text instead of a number', `UPDATE skill_tests SET passed = 'no' WHERE id = 1`, 'skill_tests'],
  ['a missing row', 'DELETE FROM changelogs WHERE id = 1', 'changelogs'],
  ['a missing table', 'DROP TABLE changelogs', 'changelogs'],
])('%s is seen', async (_what, sql, table) => {
  const changed = await copy();
  const database = new Database(changed.database);
  database.exec(`UPDATE skills SET description = '' WHERE id = 1`);
  const before = await measure(changed);
  database.exec(sql);
  database.close();
  expect(differences(before, await measure(changed)).tables).toEqual([table]);
});

test('a changed mode, time and content of a file are seen', async () => {
  const changed = await copy();
  const before = await measure(changed);
  await chmod(join(changed.files, 'empty.log'), 0o600);
  await utimes(join(changed.files, '.env.example'), 1, 1);
  expect(differences(before, await measure(changed)).paths.sort()).toEqual(['.env.example', 'empty.log']);
});

test('the disaster of the demo touches rows and files', async () => {
  const changed = await copy();
  const before = await measure(changed);
  await damage(changed);
  const { tables, paths } = differences(before, await measure(changed));
  expect(tables).toEqual(['changelogs', 'skill_files', 'skill_tests', 'skills', 'traces']);
  expect(paths).toEqual(expect.arrayContaining(['core.dump', 'current', 'skills/skill-07/SKILL.md']));
});
