/** Directories whose permissions keep the server out. The administrator of the host is never kept out: skipped then. */
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

const never = new AbortController().signal;
const unavailable = { code: 'STORAGE_UNAVAILABLE' };

describe.skipIf(process.getuid?.() === 0)('a storage that the server may not use', () => {
  let faulty: FaultyEngine;
  let holdfast: TestEngine;
  let sourceId: string;
  let backupId: string;
  let root: string;
  let folder: string;

  beforeEach(async () => {
    faulty = await FaultyEngine.start();
    holdfast = faulty.holdfast;
    const application = await sqliteApplication(join(holdfast.root, 'app'));
    sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
    backupId = (await holdfast.backUp(sourceId)).backupId;
    root = join(holdfast.directory, 'bundles');
    folder = join(root, holdfast.actor.workspaceId);
  });
  afterEach(async () => {
    await chmod(root, 0o700);
    await chmod(folder, 0o700);
    await holdfast.remove();
  });

  const reconcile = () => holdfast.engine.reconcileStorage(holdfast.actor, { dryRun: false }, never);

  test.each([
    ['root', () => root],
    ['folder of the workspace', () => folder],
  ])(
    'for its %s is closed: nothing is called missing, and all works when it is open again',
    async (_what, of) => {
      const rows = await holdfast.opened.prisma.backup.findMany();
      await chmod(of(), 0);
      await expect(reconcile()).rejects.toMatchObject(unavailable);
      await expect(holdfast.engine.deleteBackup(holdfast.actor, backupId)).rejects.toMatchObject(unavailable);
      await expect(
        holdfast.engine.openBackup(holdfast.actor.workspaceId, backupId, never),
      ).rejects.toMatchObject(unavailable);
      expect(await faulty.create(sourceId)).toMatchObject({ status: 'FAILED', error: unavailable });
      expect(await holdfast.opened.prisma.backup.findMany()).toEqual(rows);
      await chmod(of(), 0o700);
      expect(await reconcile()).toMatchObject({ checked: 1, missing: 0, unknown: 0 });
      expect((await faulty.create(sourceId)).status).toBe('SUCCEEDED');
    },
  );

  test('but read keeps the backup that it was to delete, which is deleted when it may be', async () => {
    const rows = await holdfast.opened.prisma.backup.findMany();
    await chmod(folder, 0o500);
    await expect(holdfast.engine.deleteBackup(holdfast.actor, backupId)).rejects.toMatchObject(unavailable);
    expect(await holdfast.opened.prisma.backup.findMany()).toEqual(rows);
    expect(await reconcile()).toMatchObject({ checked: 1, missing: 0, unknown: 0 });
    await chmod(folder, 0o700);
    await holdfast.engine.deleteBackup(holdfast.actor, backupId);
    expect(await readdir(folder)).toEqual([]);
  });
});
