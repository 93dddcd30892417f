import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startReconciliation } from '../../src/engine/start-reconciliation.ts';
import { forgeBundle } from '../bundle/zip-builder.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

const never = new AbortController().signal;
const FIRST = { after: null, count: 100 };
const MARK = { dryRun: false };

let faulty: FaultyEngine;
let holdfast: TestEngine;
let application: Application;
let sourceId: string;
/** The folder of the workspace in the storage. */
let folder: string;

beforeEach(async () => {
  faulty = await FaultyEngine.start();
  holdfast = faulty.holdfast;
  application = await sqliteApplication(join(holdfast.root, 'app'));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
  folder = join(holdfast.directory, 'bundles', holdfast.actor.workspaceId);
});
afterEach(() => holdfast.remove());

const keyOf = (name: string): string => `${holdfast.actor.workspaceId}/${name}`;
const reconcile = () => holdfast.engine.reconcileStorage(holdfast.actor, MARK, never);
const unknown = async () => (await holdfast.engine.unknownBundles(holdfast.actor, FIRST, never)).bundles;
const rowOf = (id: string) => holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id } });
const pathOf = async (id: string): Promise<string> =>
  join(holdfast.directory, 'bundles', (await rowOf(id)).storageKey);
const importStored = async (name: string, of: string | null = sourceId) =>
  await holdfast.finished(await holdfast.engine.importStored(holdfast.actor, keyOf(name), of));

/** A bundle of the source in the storage that the catalog knows nothing of. */
async function strayBundle(name = 'copied.zip'): Promise<string> {
  const { backupId } = await holdfast.backUp(sourceId);
  const aside = join(holdfast.directory, 'aside.zip');
  await copyFile(await pathOf(backupId), aside);
  await holdfast.engine.deleteBackup(holdfast.actor, backupId);
  await rename(aside, join(folder, name));
  return join(folder, name);
}

describe('a file that vanished', () => {
  test('is missing from then on, and is not any more when it is back', async () => {
    const [gone, kept] = [await holdfast.backUp(sourceId), await holdfast.backUp(sourceId)];
    const path = await pathOf(gone.backupId);
    await rename(path, join(holdfast.directory, 'aside.zip'));
    const found = { checked: 2, missing: 1, vanished: 1, returned: 0, undecided: 0, unknown: 0 };
    expect(await holdfast.engine.reconcileStorage(holdfast.actor, { dryRun: true }, never)).toEqual(found);
    expect(await rowOf(gone.backupId)).toMatchObject({ missing: false });
    expect(await reconcile()).toEqual(found);
    expect(await rowOf(gone.backupId)).toMatchObject({ missing: true });
    expect(await rowOf(kept.backupId)).toMatchObject({ missing: false });
    expect(faulty.log).toContain('a bundle is gone from the storage');
    expect(await reconcile()).toMatchObject({ missing: 1, vanished: 0 });
    await rename(join(holdfast.directory, 'aside.zip'), path);
    expect(await reconcile()).toMatchObject({ missing: 0, returned: 1 });
    expect(await rowOf(gone.backupId)).toMatchObject({ missing: false });
  });

  test('is found out though it was the only one, as long as its folder is there', async () => {
    const { backupId } = await holdfast.backUp(sourceId);
    await rm(await pathOf(backupId));
    expect(await reconcile()).toMatchObject({ checked: 1, vanished: 1 });
  });

  test('is found out among more than are read at once', async () => {
    const { backupId } = await holdfast.backUp(sourceId);
    const { id: _, ...row } = await rowOf(backupId);
    await holdfast.opened.prisma.backup.createMany({
      data: Array.from({ length: 1201 }, (_unused, i) => ({
        ...row,
        manifest: {},
        name: `gone-${i}.zip`,
        storageKey: keyOf(`gone-${i}.zip`),
      })),
    });
    expect(await reconcile()).toMatchObject({ checked: 1202, vanished: 1201 });
  });

  test('cannot be looked for when a link lies in its place: nothing of it is changed, others are compared', async () => {
    const [odd, gone] = [await holdfast.backUp(sourceId), await holdfast.backUp(sourceId)];
    const path = await pathOf(odd.backupId);
    await rm(path);
    await symlink('/dev/null', path);
    await rm(await pathOf(gone.backupId));
    expect(await reconcile()).toMatchObject({ checked: 1, vanished: 1, undecided: 1 });
    expect(await rowOf(odd.backupId)).toMatchObject({ missing: false });
  });

  test('is noticed by a server that starts, which goes on looking', async () => {
    const { backupId } = await holdfast.backUp(sourceId);
    const path = await pathOf(backupId);
    await rename(path, join(holdfast.directory, 'aside.zip'));
    let passed = Promise.withResolvers<void>();
    const log = {
      ...holdfast.parts.log,
      info: (_details: object, message: string) => {
        if (message === 'catalog and storage were compared') passed.resolve();
      },
    };
    const stop = startReconciliation({ ...holdfast.parts, log }, 1);
    try {
      await passed.promise;
      expect(await rowOf(backupId)).toMatchObject({ missing: true });
      await rename(join(holdfast.directory, 'aside.zip'), path);
      // The pass that goes on now may have looked before: the one after it has not.
      for (let pass = 0; pass < 2; pass += 1) {
        passed = Promise.withResolvers<void>();
        await passed.promise;
      }
      expect(await rowOf(backupId)).toMatchObject({ missing: false });
    } finally {
      await stop();
    }
  });
});

describe('a file that somebody put into the storage', () => {
  test('is found, and becomes a backup where it lies, which verifies and restores', async () => {
    const path = await strayBundle();
    const before = await stat(path);
    const content = await application.content();
    expect(await unknown()).toEqual([
      {
        storageKey: keyOf('copied.zip'),
        name: 'copied.zip',
        sizeBytes: before.size,
        modifiedAt: before.mtime,
        bundle: expect.objectContaining({
          sourceName: application.definition.name,
          encryption: expect.objectContaining({ mode: 'KEY' }),
          signer: expect.objectContaining({ state: 'OWN' }),
        }),
        problem: null,
      },
    ]);
    expect(await reconcile()).toMatchObject({ checked: 0, unknown: 1 });
    const record = await importStored('copied.zip');
    expect(record).toMatchObject({
      status: 'SUCCEEDED',
      warnings: [],
      result: { kind: 'IMPORT', tables: 2 },
    });
    expect(record.phases.map(({ name }) => name)).toEqual(['CHECKSUM', 'CONTENT', 'CATALOG']);
    const after = await stat(path);
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
    expect(await readdir(folder)).toEqual(['copied.zip']);
    expect(await unknown()).toEqual([]);
    const backupId = record.backupId ?? '';
    const request = { backupId, level: 'CONTENT' } as const;
    const verified = await holdfast.finished(await holdfast.engine.verifyBackup(holdfast.actor, request));
    expect(verified.status).toBe('SUCCEEDED');
    await application.wreck();
    expect((await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }))).status).toBe(
      'SUCCEEDED',
    );
    expect(await application.content()).toEqual(content);
    await expect(
      holdfast.engine.importStored(holdfast.actor, keyOf('copied.zip'), sourceId),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await holdfast.engine.deleteBackup(holdfast.actor, backupId);
    expect(await readdir(folder)).toEqual([]);
  });

  test('is not trusted by lying there: a bundle that nobody signed is imported with a warning and not restored', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'foreign.zip'), forgeBundle([]));
    expect(await unknown()).toMatchObject([{ bundle: { signer: { state: 'UNSIGNED' } }, problem: null }]);
    const record = await importStored('foreign.zip');
    expect(record).toMatchObject({ status: 'SUCCEEDED' });
    expect(record.warnings.join('\n')).toContain('not signed');
    const restored = await holdfast.restore(
      restoreOf(record.backupId ?? '', { preRestoreBackup: 'NONE', allowForeignSource: true }),
    );
    expect(restored).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_SIGNATURE' } });
  });

  test('says what is wrong with it when it is no sound bundle, is not imported, and stays as it is', async () => {
    const path = await strayBundle('damaged.zip');
    const sound = await readFile(path);
    // In the middle of the sealed payload: the manifest can still be read.
    sound.writeUInt8(sound.readUInt8(sound.length >> 1) ^ 1, sound.length >> 1);
    await writeFile(path, sound);
    await writeFile(join(folder, 'half.zip'), sound.subarray(0, 3000));
    await writeFile(join(folder, 'notes.txt'), 'not a bundle');
    await writeFile(join(folder, 'a name.zip'), sound);
    await writeFile(join(folder, '.copying.zip'), sound);
    await mkdir(join(folder, 'deep.zip'));
    await symlink(path, join(folder, 'link.zip'));
    const found = new Map((await unknown()).map(({ name, problem }) => [name, problem]));
    expect([...found.keys()]).toEqual(['a name.zip', 'damaged.zip', 'half.zip', 'notes.txt']);
    expect(found.get('a name.zip')).toContain('not a valid name');
    expect(found.get('half.zip')).not.toBeNull();
    expect(found.get('notes.txt')).not.toBeNull();
    const files = await readdir(folder);
    for (const [name, code] of [
      ['damaged.zip', 'INVALID_CHECKSUM'],
      ['half.zip', 'INVALID_MANIFEST'],
      ['notes.txt', 'INVALID_MANIFEST'],
    ] as const) {
      expect(await importStored(name)).toMatchObject({ status: 'FAILED', error: { code }, backupId: null });
    }
    await expect(importStored('a name.zip')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    expect(await readdir(folder)).toEqual(files);
    expect(await readFile(path)).toEqual(sound);
    expect(await holdfast.opened.prisma.backup.count()).toBe(0);
  });

  test('that grows while it is imported is refused, and stays', async () => {
    const path = await strayBundle();
    faulty.once('after PHASE_STARTED CONTENT', () => appendFile(path, 'x'));
    const record = await importStored('copied.zip');
    expect(record).toMatchObject({ status: 'FAILED', backupId: null });
    expect(['INVALID_CHECKSUM', 'INVALID_MANIFEST']).toContain(record.error?.code);
    expect(await readdir(folder)).toEqual(['copied.zip']);
  });

  test('stays when its import fails in the catalog, or its process died, and can be imported again', async () => {
    const path = await strayBundle();
    faulty.once('before catalogue', () => {
      throw new Error('the catalog is busy');
    });
    expect(await importStored('copied.zip')).toMatchObject({ status: 'FAILED', error: { phase: 'CATALOG' } });
    expect(await stat(path)).toMatchObject({});
    const { id } = await holdfast.parts.catalog.records.create({
      workspaceId: holdfast.actor.workspaceId,
      kind: 'IMPORT',
      trigger: 'MANUAL',
      requestedBy: 'owner',
      request: { uploadId: null, storageKey: keyOf('copied.zip') },
    });
    await holdfast.parts.catalog.records.claim(id, 'elsewhere@1/1/1', new Date(0));
    const recovered = await TestEngine.start(() => ({}), holdfast.directory);
    await recovered.stop();
    expect(await holdfast.record(id)).toMatchObject({ status: 'FAILED' });
    expect(await stat(path)).toMatchObject({});
    expect(await importStored('copied.zip')).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('is imported by one record at a time', async () => {
    await strayBundle();
    const hold = faulty.hold('before catalogue');
    const first = await holdfast.engine.importStored(holdfast.actor, keyOf('copied.zip'), null);
    await hold.reached;
    expect(await unknown()).toEqual([]);
    await expect(
      holdfast.engine.importStored(holdfast.actor, keyOf('copied.zip'), null),
    ).rejects.toMatchObject({ code: 'LOCK_HELD' });
    hold.release();
    expect(await holdfast.finished(first)).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('is none while a backup that is being made has just stored it', async () => {
    const hold = faulty.hold('before catalogue');
    const { engine, actor } = holdfast;
    const record = await engine.createBackup(actor, { sourceId, selection: EVERYTHING });
    await hold.reached;
    expect(await readdir(folder)).toHaveLength(1);
    expect(await unknown()).toEqual([]);
    expect(await reconcile()).toMatchObject({ unknown: 0 });
    hold.release();
    expect((await holdfast.finished(record)).status).toBe('SUCCEEDED');
    expect(await unknown()).toEqual([]);
  });

  test('is none, and cannot be imported, while it is the canary of a self-test', async () => {
    const hold = faulty.hold('after PHASE_STARTED DESTROY');
    const selfTest = await holdfast.engine.runSelfTest(holdfast.actor, {});
    await hold.reached;
    const [name = ''] = await readdir(folder);
    expect(name).toMatch(/^self-test_/);
    expect(await unknown()).toEqual([]);
    expect(await reconcile()).toMatchObject({ unknown: 0 });
    await expect(holdfast.engine.importStored(holdfast.actor, keyOf(name), null)).rejects.toMatchObject({
      code: 'LOCK_HELD',
    });
    hold.release();
    expect(await holdfast.finished(selfTest)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await holdfast.opened.prisma.backup.count()).toBe(0);
  });

  test('is listed by name, page by page, also among more than the catalog is asked for at once', async () => {
    await mkdir(folder, { recursive: true });
    const names = Array.from(
      { length: 1103 },
      (_, i) => `f${String((i * 7919) % 1103).padStart(4, '0')}.zip`,
    );
    for (const name of names) await writeFile(join(folder, name), '');
    const seen: string[] = [];
    for (let after: string | null = null; ; ) {
      const page = await holdfast.engine.unknownBundles(holdfast.actor, { after, count: 100 }, never);
      seen.push(...page.bundles.map(({ name }) => name));
      if (!page.more) break;
      after = page.bundles.at(-1)?.storageKey ?? null;
    }
    expect(seen).toEqual([...names].sort());
    expect(await reconcile()).toMatchObject({ unknown: 1103 });
  });

  test('of another workspace is not shown, and is imported by no way of writing its name', async () => {
    await strayBundle();
    const other = join(holdfast.directory, 'bundles/another');
    await mkdir(other);
    await rename(join(folder, 'copied.zip'), join(other, 'copied.zip'));
    expect(await unknown()).toEqual([]);
    const { workspaceId } = holdfast.actor;
    for (const key of [
      'another/copied.zip',
      `${workspaceId}/../another/copied.zip`,
      `${workspaceId}/deep/copied.zip`,
      `${workspaceId}copied.zip`,
      'copied.zip',
      '',
    ]) {
      await expect(holdfast.engine.importStored(holdfast.actor, key, null)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
    await expect(
      holdfast.engine.importStored(holdfast.actor, keyOf('nothing.zip'), null),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('a damaged bundle of the catalog', () => {
  test('is still listed, deleted and rotated away', async () => {
    const records = [];
    for (let i = 0; i < 4; i += 1) records.push(await holdfast.backUp(sourceId));
    const [emptied, junk, halved] = records.map(({ backupId }) => backupId);
    if (emptied === undefined || junk === undefined || halved === undefined) throw new Error('not backed up');
    await truncate(await pathOf(emptied), 0);
    await writeFile(await pathOf(junk), 'junk');
    await truncate(await pathOf(halved), 2000);
    expect(await reconcile()).toMatchObject({ checked: 4, missing: 0, unknown: 0 });
    const { engine, actor, opened } = holdfast;
    await engine.deleteBackup(actor, emptied);
    const policy = { keepLast: 1, keepDays: null };
    const { record } = await engine.rotateBackups(actor, { sourceId, policy, dryRun: false });
    expect(await holdfast.finished(record?.id ?? '')).toMatchObject({
      status: 'SUCCEEDED',
      result: { deleted: 2, kept: 1 },
    });
    expect(await opened.prisma.backup.findMany({ select: { id: true } })).toEqual([
      { id: records[3]?.backupId },
    ]);
    expect(await readdir(folder)).toHaveLength(1);
  });
});

/** Ways in which the storage of a running server goes away; each answers how it comes back. */
const absences: [string, () => Promise<() => Promise<void>>][] = [
  [
    'gone',
    async () => {
      const [root, aside] = [join(holdfast.directory, 'bundles'), join(holdfast.directory, 'unmounted')];
      await rename(root, aside);
      return () => rename(aside, root);
    },
  ],
  [
    'an empty mount point',
    async () => {
      const [root, aside] = [join(holdfast.directory, 'bundles'), join(holdfast.directory, 'unmounted')];
      await rename(root, aside);
      await mkdir(root);
      return async () => {
        expect(await readdir(root)).toEqual([]);
        await rm(root, { recursive: true });
        await rename(aside, root);
      };
    },
  ],
];

describe.each(absences)('a storage that is %s', (_how, takeAway) => {
  test('is said to be unavailable by every operation, changes nothing, and works again when it is back', async () => {
    const { engine, actor, opened } = holdfast;
    const { backupId } = await holdfast.backUp(sourceId);
    await holdfast.backUp(sourceId);
    const content = await application.content();
    const stored = await readFile(await pathOf(backupId));
    const rows = await opened.prisma.backup.findMany();
    const bringBack = await takeAway();
    const unavailable = { code: 'STORAGE_UNAVAILABLE' };
    await expect(reconcile()).rejects.toMatchObject(unavailable);
    await expect(unknown()).rejects.toMatchObject(unavailable);
    await expect(engine.importStored(actor, keyOf('x.zip'), null)).rejects.toMatchObject(unavailable);
    await expect(engine.deleteBackup(actor, backupId)).rejects.toMatchObject(unavailable);
    await expect(engine.openBackup(actor.workspaceId, backupId, never)).rejects.toMatchObject(unavailable);
    const failed = { status: 'FAILED', error: unavailable };
    expect(await faulty.create(sourceId)).toMatchObject(failed);
    expect(await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }))).toMatchObject({
      ...failed,
      result: { targetState: 'WHOLLY_OLD' },
    });
    for (const level of ['CHECKSUM', 'CONTENT', 'RESTORE'] as const) {
      const verified = await holdfast.finished(await engine.verifyBackup(actor, { backupId, level }));
      expect(verified).toMatchObject(failed);
    }
    expect(await application.content()).toEqual(content);
    expect(await opened.prisma.backup.findMany()).toEqual(rows);
    await bringBack();
    expect(await readFile(await pathOf(backupId))).toEqual(stored);
    expect(await reconcile()).toMatchObject({ checked: 2, missing: 0, unknown: 0 });
    await application.wreck();
    expect((await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }))).status).toBe(
      'SUCCEEDED',
    );
    expect(await application.content()).toEqual(content);
    // A source whose last backup failed is not rotated.
    await holdfast.backUp(sourceId);
    const policy = { keepLast: 1, keepDays: null };
    const away = await takeAway();
    const { record } = await engine.rotateBackups(actor, { sourceId, policy, dryRun: false });
    expect(await holdfast.finished(record?.id ?? '')).toMatchObject(failed);
    await away();
    expect(await reconcile()).toMatchObject({ checked: 3, missing: 0, unknown: 0 });
    expect(await holdfast.leftovers()).toEqual([]);
  });
});

test('a workspace whose bundles are really gone is told so by an empty folder', async () => {
  const { backupId } = await holdfast.backUp(sourceId);
  await rm(folder, { recursive: true });
  await expect(reconcile()).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    hint: expect.stringContaining(holdfast.actor.workspaceId),
  });
  await mkdir(folder);
  expect(await reconcile()).toMatchObject({ checked: 1, vanished: 1 });
  await holdfast.engine.deleteBackup(holdfast.actor, backupId);
  expect((await faulty.create(sourceId)).status).toBe('SUCCEEDED');
});
