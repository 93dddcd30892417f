import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openFileTrees } from '../../src/source/files/file-trees.ts';
import { openFilesystemStorage } from '../../src/storage/filesystem.ts';
import { restoreOf } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';
import { canMount, type SmallDisk, smallDisk } from '../support/small-disk.ts';

const MIB = 1024 * 1024;

// Where nothing can be mounted, the tests stand in the report as skipped.
describe.skipIf(!canMount())('a full disk', () => {
  let disk: SmallDisk;
  let faulty: FaultyEngine;
  let application: Application;
  let sourceId: string;
  let backupId: string;

  beforeAll(async () => {
    disk = smallDisk(8 * MIB);
    for (const name of ['bundles', 'uploads', 'temporary', 'journal', 'root'])
      await mkdir(join(disk.path, name));
    faulty = await FaultyEngine.start((parts) => ({
      storage: openFilesystemStorage(join(disk.path, 'bundles')),
      trees: openFileTrees({ roots: [join(disk.path, 'root')] }),
      directories: {
        ...parts.directories,
        uploads: join(disk.path, 'uploads'),
        temporary: join(disk.path, 'temporary'),
        journal: join(disk.path, 'journal'),
      },
    }));
    const { holdfast } = faulty;
    application = await sqliteApplication(join(disk.path, 'root/app'));
    await writeFile(join(application.directory, 'uploads/big.bin'), randomBytes(MIB));
    sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
    backupId = (await holdfast.backUp(sourceId)).backupId;
  });

  afterAll(async () => {
    await faulty.holdfast.remove();
    disk.remove();
  });

  afterEach(() => disk.makeRoom());

  /** Everything below a folder of the disk, but for directories. */
  async function filesOf(folder: string): Promise<string[]> {
    const entries = await readdir(join(disk.path, folder), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }

  test('under the bundles fails the backup STORAGE_FULL and keeps nothing of it', async () => {
    const before = await filesOf('bundles');
    await disk.fill(300 * 1024);
    const record = await faulty.create(sourceId);
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL', hint: expect.stringContaining('Free') },
      backupId: null,
    });
    expect(await filesOf('bundles')).toEqual(before);
    expect(await filesOf('temporary')).toEqual([]);
    expect(await faulty.holdfast.leftovers()).toEqual([]);
    disk.makeRoom();
    expect((await faulty.create(sourceId)).status).toBe('SUCCEEDED');
  });

  test('under the bundles fails an import STORAGE_FULL, keeps nothing of it, and the upload for another try', async () => {
    const { holdfast } = faulty;
    const { engine, actor } = holdfast;
    const { storageKey } = await holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
    const content = createReadStream(join(disk.path, 'bundles', storageKey));
    const { id } = await engine.receiveUpload(actor, 'x.zip', content, new AbortController().signal);
    const before = await filesOf('bundles');
    await disk.fill(300 * 1024);
    expect(await holdfast.finished(await engine.importBackup(actor, id, sourceId))).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL', phase: 'RECEIVE' },
      backupId: null,
    });
    expect(await filesOf('bundles')).toEqual(before);
    disk.makeRoom();
    const imported = await holdfast.finished(await engine.importBackup(actor, id, sourceId));
    expect(imported).toMatchObject({ status: 'SUCCEEDED' });
    await engine.deleteBackup(actor, imported.backupId ?? '');
  });

  test('under the staging of a restore fails it STORAGE_FULL and leaves everything as it was', async () => {
    await application.wreck();
    const before = await application.content();
    await disk.fill(400 * 1024);
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL', phase: 'STAGE_FILES' },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application.content()).toEqual(before);
    expect(await application.leftovers()).toEqual([]);
    disk.makeRoom();
    expect((await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }))).status).toBe(
      'SUCCEEDED',
    );
  });

  test('under the journal of a restore fails it STORAGE_FULL and leaves everything as it was', async () => {
    await application.wreck();
    const before = await application.content();
    faulty.once('after ticket', () => disk.fill(0));
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL', phase: 'COMMIT', hint: expect.stringContaining('data directory') },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application.content()).toEqual(before);
    expect(await filesOf('journal')).toEqual([]);
    expect(await application.leftovers()).toEqual([]);
  });

  test('under a database that is loaded fails the restore STORAGE_FULL and leaves everything as it was', async () => {
    await application.execute(
      'CREATE TABLE blobs (id INTEGER PRIMARY KEY, content BLOB)',
      'WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO blobs SELECT i, randomblob(100000) FROM n',
    );
    const withBlobs = (await faulty.holdfast.backUp(sourceId)).backupId;
    await application.execute('DELETE FROM blobs', 'VACUUM', 'PRAGMA wal_checkpoint(TRUNCATE)');
    const before = await application.content();
    await disk.fill(300 * 1024);
    const record = await faulty.restore(
      restoreOf(withBlobs, {
        preRestoreBackup: 'NONE',
        selection: { database: true, tables: null, trees: [], configTrees: [], envFile: false },
      }),
    );
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL' },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application.content()).toEqual(before);
    expect(await application.leftovers()).toEqual([]);
    await application.execute('DROP TABLE blobs');
  });

  test('under the uploads refuses the upload STORAGE_FULL and keeps nothing of it', async () => {
    const { engine, actor } = faulty.holdfast;
    await disk.fill(200 * 1024);
    const content = Readable.from(Array.from({ length: 20 }, () => randomBytes(64 * 1024)));
    await expect(
      engine.receiveUpload(actor, 'big.zip', content, new AbortController().signal),
    ).rejects.toMatchObject({ code: 'STORAGE_FULL', hint: expect.stringContaining('Free') });
    expect(await filesOf('uploads')).toEqual([]);
  });
});
