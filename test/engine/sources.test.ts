import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceDefinition } from '../../src/catalog/catalog.ts';
import { refuseOverlaps } from '../../src/engine/overlaps.ts';
import { restoreOf, TestEngine } from '../support/engine.ts';

let holdfast: TestEngine;
let app: string;

beforeEach(async () => {
  holdfast = await TestEngine.start();
  app = join(holdfast.root, 'app');
  await mkdir(join(app, 'uploads'), { recursive: true });
  await writeFile(join(app, '.env'), 'A=1');
  await writeFile(join(app, 'app.sqlite'), '');
  await symlink(app, join(holdfast.root, 'link'));
});

afterEach(() => holdfast.remove());

function sourceOf(change: Partial<SourceDefinition>): SourceDefinition {
  return {
    name: 'App',
    database: null,
    excludedTables: [],
    clearedColumns: [],
    trees: [],
    configTrees: [],
    envFile: null,
    ...change,
  };
}

function treeOf(path: string, exclude: readonly string[] = [], name = 'app') {
  return { name, path, include: [], exclude };
}

const create = (change: Partial<SourceDefinition>) =>
  holdfast.engine.createSource(holdfast.actor, sourceOf(change));

const overlap = { code: 'INVALID_INPUT', message: expect.stringContaining('lies inside the tree app') };

test('what is replaced may not lie in a tree, also when a link hides that it does', async () => {
  const link = join(holdfast.root, 'link');
  const trees = [treeOf(app)];
  await expect(
    create({ trees: [...trees, treeOf(join(link, 'uploads'), [], 'inner')] }),
  ).rejects.toMatchObject(overlap);
  await expect(create({ trees, configTrees: [treeOf(link, [], 'same')] })).rejects.toMatchObject(overlap);
  const database = { kind: 'SQLITE', path: join(link, 'app.sqlite') } as const;
  await expect(create({ trees, database })).rejects.toMatchObject(overlap);
  const restored = { path: join(app, '.env'), restorePath: join(link, 'new.env') };
  await expect(create({ trees, envFile: restored })).rejects.toMatchObject(overlap);
  const { id } = await create({ trees });
  await expect(holdfast.engine.updateSource(holdfast.actor, id, { database })).rejects.toMatchObject(overlap);
});

test('an env file that is only read may lie in a tree', async () => {
  const { id } = await create({
    trees: [treeOf(app)],
    envFile: { path: join(app, '.env'), restorePath: null },
  });
  expect(id).toBeTruthy();
});

test('an env file is not restored over the database', async () => {
  const path = join(app, 'app.sqlite');
  await expect(
    create({
      database: { kind: 'SQLITE', path },
      envFile: { path: join(app, '.env'), restorePath: join(holdfast.root, 'link/app.sqlite') },
    }),
  ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'envFile' });
});

test('trees that came to overlap after the source was made are found when asked again', async () => {
  const other = join(holdfast.root, 'other');
  await mkdir(other);
  const source = await create({ trees: [treeOf(app), treeOf(other, [], 'other')] });
  await refuseOverlaps(holdfast.parts, source);
  await rename(other, join(holdfast.root, 'moved'));
  await symlink(join(app, 'uploads'), other);
  await expect(refuseOverlaps(holdfast.parts, source)).rejects.toMatchObject(overlap);
});

test('globs that can never be used are refused when the source is made', async () => {
  for (const glob of ['!keep', '/etc', '../x', '*a*a*a*a*a*b']) {
    await expect(create({ trees: [treeOf(app, [glob])] }), glob).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(glob),
    });
    await expect(create({ configTrees: [treeOf(app, [glob])] }), glob).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  }
});

test('a source does not change under a restore that began while the change was checked', async () => {
  const gate = Promise.withResolvers<void>();
  let whileChecked: (() => Promise<unknown>) | undefined;
  const other = await TestEngine.start(({ trees, bundles }) => ({
    trees: {
      ...trees,
      async check(path, expects) {
        await trees.check(path, expects);
        const begin = whileChecked;
        whileChecked = undefined;
        await begin?.();
      },
    },
    bundles: {
      createWriter: (options) => bundles.createWriter(options),
      async openReader(...order) {
        await gate.promise;
        return await bundles.openReader(...order);
      },
    },
  }));
  try {
    const path = join(other.root, 'uploads');
    await mkdir(path);
    const { id } = await other.engine.createSource(other.actor, sourceOf({ trees: [treeOf(path)] }));
    const { backupId } = await other.backUp(id);
    let restore: string | undefined;
    whileChecked = async () => {
      restore = (await other.engine.restoreBackup(other.actor, restoreOf(backupId))).id;
    };
    await expect(other.engine.updateSource(other.actor, id, { name: 'Other' })).rejects.toMatchObject({
      code: 'LOCK_HELD',
    });
    gate.resolve();
    expect(await other.finished(restore ?? '')).toMatchObject({ status: 'SUCCEEDED' });
  } finally {
    gate.resolve();
    await other.remove();
  }
});
