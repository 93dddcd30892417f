import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { RestoreResult } from '../../src/engine/record-result.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';

const untilEnd = new AbortController().signal;

let holdfast: TestEngine;
let sourceId: string;
let databasePath: string;
let treePath: string;

beforeEach(async () => {
  holdfast = await TestEngine.start();
  databasePath = join(holdfast.root, 'app.sqlite');
  treePath = join(holdfast.root, 'uploads');
  const database = new Database(databasePath);
  database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, session TEXT);
    CREATE TABLE book (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author, title TEXT, price REAL, cover BLOB);
    INSERT INTO author VALUES (1, 'Ada', 's1'), (2, 'Grace', NULL);
    INSERT INTO book VALUES (1, 1, 'Notes', 12.5, x'00ff'), (2, 2, 'Compilers', 0.1, NULL), (3, 2, 'Bugs', -1e300, x'');
  `);
  database.close();
  await mkdir(join(treePath, 'nested'), { recursive: true });
  await writeFile(join(treePath, 'a.txt'), 'alpha');
  await writeFile(join(treePath, 'nested/[...slug].tsx'), 'export {}');
  await writeFile(join(treePath, '.hidden'), '');
  await symlink('../../outside', join(treePath, 'link'));
  await chmod(join(treePath, 'a.txt'), 0o751);
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Shop',
    database: { kind: 'SQLITE', path: databasePath },
    excludedTables: [],
    clearedColumns: [],
    trees: [{ name: 'uploads', path: treePath, include: [], exclude: ['**/*.log'] }],
    configTrees: [],
    envFile: null,
  });
  sourceId = source.id;
});

afterEach(async () => {
  await holdfast.remove();
});

function dump(): unknown {
  const database = new Database(databasePath, { readonly: true });
  try {
    return ['author', 'book'].map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY id`).all());
  } finally {
    database.close();
  }
}

async function listTree(): Promise<unknown> {
  const names = (await readdir(treePath, { recursive: true })).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(treePath, name);
      const stats = await lstat(path);
      const content = stats.isFile()
        ? await readFile(path, 'utf8')
        : stats.isSymbolicLink()
          ? await readlink(path)
          : null;
      // Node 22 sets times to the microsecond only.
      return [name, stats.mode, Math.floor(stats.mtimeMs), content];
    }),
  );
}

async function wreck(): Promise<void> {
  const database = new Database(databasePath);
  database.exec(
    `DELETE FROM book WHERE id = 2; UPDATE author SET name = 'nobody'; INSERT INTO author VALUES (9, 'Eve', NULL);`,
  );
  database.close();
  await rm(join(treePath, 'a.txt'));
  await writeFile(join(treePath, 'new.txt'), 'new');
  await writeFile(join(treePath, 'app.log'), 'kept');
}

/** Name, rows and digest of each table in a bundle, in its order. */
async function bundledDigests(
  backupId: string,
): Promise<(readonly [name: string, rows: number, digest: string])[]> {
  const { file } = await holdfast.engine.openBackup(holdfast.actor.workspaceId, backupId, untilEnd);
  const { catalog } = holdfast.parts;
  const reader = await bundleFormat.openReader(file, untilEnd, {
    unlock: {
      key: async (id) => (await catalog.encryptionKeys.find(holdfast.actor.workspaceId, id))?.key,
    },
  });
  try {
    const digests: (readonly [name: string, rows: number, digest: string])[] = [];
    for await (const entry of reader.entries(untilEnd)) {
      if (entry.kind === 'TABLE_PART') digests.push([entry.table, entry.rows, entry.digest]);
    }
    return digests;
  } finally {
    await reader.close();
  }
}

describe('the main job', () => {
  test('after a disaster database and tree come back to where nothing stands', async () => {
    const rows = dump();
    const files = await listTree();
    const created = await holdfast.backUp(sourceId);
    for (const lost of [databasePath, `${databasePath}-wal`, `${databasePath}-shm`]) {
      await rm(lost, { force: true });
    }
    await rm(treePath, { recursive: true });

    const request = { bundle: { backupId: created.backupId }, sourceId: null, selection: EVERYTHING };
    const plan = await holdfast.engine.restorePlan(holdfast.actor, request, AbortSignal.timeout(10_000));
    expect(plan).toMatchObject({ structure: 'CREATE', refusals: [] });
    const rehearsed = await holdfast.restore(restoreOf(created.backupId, { dryRun: true }));
    expect(rehearsed).toMatchObject({ status: 'SUCCEEDED', error: null });
    expect((await readdir(holdfast.root)).filter((name) => name.startsWith('app.sqlite'))).toEqual([]);

    const restored = await holdfast.restore(restoreOf(created.backupId, { planHash: plan.hash }));
    expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null, result: { proven: true } });
    expect(dump()).toEqual(rows);
    expect(await listTree()).toEqual(files);
    expect((await readdir(holdfast.root)).filter((name) => name.startsWith('app.sqlite'))).toEqual([
      'app.sqlite',
    ]);
  });

  test('a source may name a database that a restore is to make; until then it has nothing to back up', async () => {
    const path = join(holdfast.root, 'new.sqlite');
    const { backupId } = await holdfast.backUp(sourceId);
    const { id } = await holdfast.engine.createSource(holdfast.actor, {
      name: 'New host',
      database: { kind: 'SQLITE', path },
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    await expect(holdfast.engine.testSource(holdfast.actor, id, untilEnd)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    const selection = { ...EVERYTHING, trees: [], configTrees: [] };
    const job = await holdfast.engine.createBackup(holdfast.actor, { sourceId: id, selection });
    expect(await holdfast.finished(job)).toMatchObject({ status: 'FAILED', error: { phase: 'SNAPSHOT' } });
    const restored = await holdfast.restore(
      restoreOf(backupId, { sourceId: id, selection, allowForeignSource: true }),
    );
    expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null });
    databasePath = path;
    expect(dump()).toHaveLength(2);
  });

  test('a wrecked database and tree come back exactly, and the restore is proven', async () => {
    const rows = dump();
    const files = await listTree();
    const created = await holdfast.backUp(sourceId);
    expect(created.status).toBe('SUCCEEDED');
    expect(created.result).toMatchObject({ kind: 'CREATE', tables: 2, rows: 5, files: 3 });
    expect(created.phases.map((phase) => phase.name)).toEqual([
      'SNAPSHOT',
      'TABLES',
      'FILES',
      'STORE',
      'CATALOG',
    ]);

    const verified = await holdfast.finished(
      await holdfast.engine.verifyBackup(holdfast.actor, { backupId: created.backupId, level: 'CONTENT' }),
    );
    expect(verified).toMatchObject({ status: 'SUCCEEDED', result: { verdict: 'PASSED', rowsChecked: 5 } });
    const [certificate] = await holdfast.opened.prisma.certificate.findMany({
      where: { recordId: verified.id },
    });
    expect(certificate?.tables).toEqual(
      (await bundledDigests(created.backupId)).map(([name, count, digest]) => ({
        schema: null,
        name,
        rows: count,
        digest,
      })),
    );

    await wreck();
    const plan = await holdfast.engine.restorePlan(
      holdfast.actor,
      { bundle: { backupId: created.backupId }, sourceId: null, selection: EVERYTHING },
      AbortSignal.timeout(10_000),
    );
    expect(plan.refusals).toEqual([]);
    expect(plan.tables.map(({ name, rowsNow, rowsInBundle }) => [name, rowsNow, rowsInBundle])).toEqual([
      ['author', 3, 2],
      ['book', 2, 3],
    ]);
    expect(plan.trees[0]).toMatchObject({ added: 1, removed: 1 });

    const restored = await holdfast.restore(restoreOf(created.backupId, { planHash: plan.hash }));
    expect(restored.error).toBeNull();
    expect(restored).toMatchObject({
      status: 'SUCCEEDED',
      result: { targetState: 'WHOLLY_NEW', proven: true, rowsRestored: 5, filesRestored: 3 },
    });
    // What was read back is told by table, with the digest that the bundle has of it.
    const { tables } = restored.result as RestoreResult;
    expect(tables.map(({ name, rows: count, digest }) => [name, count, digest])).toEqual(
      await bundledDigests(created.backupId),
    );
    expect(dump()).toEqual(rows);
    expect(await readFile(join(treePath, 'app.log'), 'utf8')).toBe('kept');
    await rm(join(treePath, 'app.log'));
    const after = await listTree();
    expect(after).toEqual(files);
    // What was there before the restore can be had back.
    const result = restored.result as { preRestoreBackupId: string };
    const undone = await holdfast.restore(restoreOf(result.preRestoreBackupId, { preRestoreBackup: 'NONE' }));
    expect(undone.error).toBeNull();
    expect(await readdir(treePath)).toContain('new.txt');
    expect(dump()).not.toEqual(rows);
  });

  test('a dry run imports everything, says so and leaves everything as it was', async () => {
    const created = await holdfast.backUp(sourceId);
    await wreck();
    const rows = dump();
    const files = await listTree();
    const restored = await holdfast.restore(restoreOf(created.backupId, { dryRun: true }));
    expect(restored).toMatchObject({
      status: 'SUCCEEDED',
      result: { dryRun: true, rolledBack: true, proven: true, rowsRestored: 5, targetState: 'WHOLLY_OLD' },
    });
    expect(dump()).toEqual(rows);
    expect(await listTree()).toEqual(files);
    expect((await readdir(holdfast.root)).filter((name) => name.includes('holdfast'))).toEqual([]);
  });
});
