import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { forgeRows } from '../bundle/forged-rows.ts';
import { type ForgedFile, forgeBundle, forgedFile, sha256 } from '../bundle/zip-builder.ts';
import { EVERYTHING, restoreOf } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

const LIMIT = 1024 * 1024;
const never = new AbortController().signal;
const noSnapshot = { preRestoreBackup: 'NONE' } as const;

let faulty: FaultyEngine;
let application: Application;
let sourceId: string;

beforeAll(async () => {
  faulty = await FaultyEngine.start(() => ({ uploadLimitBytes: LIMIT }));
  const { holdfast } = faulty;
  application = await sqliteApplication(join(holdfast.root, 'app'));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
});

afterAll(async () => {
  await faulty.holdfast.remove();
});

afterEach(() => {
  faulty.at = () => undefined;
});

async function upload(content: Buffer): Promise<string> {
  const { engine, actor } = faulty.holdfast;
  return (await engine.receiveUpload(actor, 'shop.zip', Readable.from([content]), never)).id;
}

async function makeBackup(): Promise<{ backupId: string; path: string }> {
  const { backupId } = await faulty.holdfast.backUp(sourceId);
  const { storageKey } = await faulty.holdfast.opened.prisma.backup.findUniqueOrThrow({
    where: { id: backupId },
  });
  return { backupId, path: join(faulty.holdfast.directory, 'bundles', storageKey) };
}

async function backupRow(backupId: string) {
  return await faulty.holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
}

describe('a stored bundle that was damaged', () => {
  test.each([
    [
      'one bit of it flipped',
      async (path: string): Promise<void> => {
        const content = await readFile(path);
        const at = Math.floor(content.length / 3);
        content[at] = (content[at] ?? 0) ^ 1;
        await writeFile(path, content);
      },
    ],
    ['its end cut off', (path: string): Promise<void> => truncate(path, 500)],
    ['all of it cut off', (path: string): Promise<void> => truncate(path, 0)],
  ])('by %s fails verification, is remembered as such and is not restored', async (_how, damage) => {
    const { engine, actor } = faulty.holdfast;
    const { backupId, path } = await makeBackup();
    await damage(path);
    const verified = await faulty.holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
    );
    expect(verified).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_CHECKSUM', phase: 'CHECKSUM' },
      result: { verdict: 'FAILED' },
    });
    expect(await backupRow(backupId)).toMatchObject({ lastVerdict: 'FAILED', missing: false });
    await application.wreck();
    const before = await application.content();
    const restored = await faulty.restore(restoreOf(backupId));
    expect(restored).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_CHECKSUM' },
      result: { targetState: 'WHOLLY_OLD', preRestoreBackupId: null },
    });
    expect(await application.content()).toEqual(before);
    // A corrupt bundle can still be deleted.
    await engine.deleteBackup(actor, backupId);
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  /** Puts a bundle in the place of a stored one, and lets the catalog think that it always was there. */
  async function replaced(content: Buffer): Promise<string> {
    const { backupId, path } = await makeBackup();
    await writeFile(path, content);
    await faulty.holdfast.opened.prisma.backup.update({
      where: { id: backupId },
      data: { sizeBytes: BigInt(content.length), checksum: sha256(content) },
    });
    return backupId;
  }

  test.each([
    ['a row that is no JSON', '[\n{"id":1},\n{"id":2,}\n]\n', {}, /db\/t\.json .*JSON: row 2/],
    [
      'another digest than its rows',
      '[\n{"id":1}\n]\n',
      { rows: 1, digest: '1'.repeat(32) },
      /db\/t\.json .*digest/,
    ],
  ])(
    'by a writer, with hashes that are right and %s, fails a look at its content',
    async (_how, rows, told, fault) => {
      const { engine, actor } = faulty.holdfast;
      const backupId = await replaced(forgeRows(rows, { rows: 2, ...told }));
      const verified = await faulty.holdfast.finished(
        await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
      );
      expect(verified).toMatchObject({
        status: 'FAILED',
        error: { code: 'INVALID_CHECKSUM', phase: 'CONTENT', message: expect.stringMatching(fault) },
        result: { verdict: 'FAILED', problems: [{ entry: 'db/t.json' }] },
      });
      expect(await backupRow(backupId)).toMatchObject({ lastVerdict: 'FAILED' });
      await engine.deleteBackup(actor, backupId);
    },
  );

  const damagedFile = (name: string): ForgedFile =>
    forgedFile(`files/app/${name}`, name, {}, { sha256: '0'.repeat(64) });

  test('in several entries is told of each, and restored from none', async () => {
    const { engine, actor } = faulty.holdfast;
    const good = forgedFile('files/app/b', 'b');
    const backupId = await replaced(forgeBundle([damagedFile('a'), good, damagedFile('c')]));
    const verified = await faulty.holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
    );
    const told = ['a', 'c'].map((name) => ({
      entry: `files/app/${name}`,
      message: expect.stringContaining(`files/app/${name} does not match its SHA-256`),
    }));
    expect(verified).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_CHECKSUM', phase: 'CONTENT', message: told[0]?.message },
      result: { verdict: 'FAILED', problems: told },
    });
    expect(verified.phases.map(({ name, status }) => [name, status])).toEqual([
      ['CHECKSUM', 'SUCCEEDED'],
      ['CONTENT', 'FAILED'],
    ]);
    expect(await backupRow(backupId)).toMatchObject({ lastVerdict: 'FAILED' });
    expect(
      await faulty.restore(
        restoreOf(backupId, {
          ...noSnapshot,
          sourceId,
          allowForeignSource: true,
          trustUnknownSigner: true,
        }),
      ),
    ).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_CHECKSUM', phase: 'CONTENT' } });
    await engine.deleteBackup(actor, backupId);
  });

  test('in more entries than anybody reads is told of a hundred', async () => {
    const { engine, actor } = faulty.holdfast;
    const names = Array.from({ length: 150 }, (_, n) => String(1000 + n));
    const backupId = await replaced(forgeBundle(names.map(damagedFile)));
    const { result } = await faulty.holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
    );
    expect((result as { problems: unknown[] }).problems).toHaveLength(100);
    expect(await backupRow(backupId)).toMatchObject({ lastVerdict: 'FAILED' });
    await engine.deleteBackup(actor, backupId);
  });

  test('behind the catalog is told with the entries that are damaged', async () => {
    const { engine, actor } = faulty.holdfast;
    const backupId = await replaced(forgeBundle([damagedFile('a')]));
    await faulty.holdfast.opened.prisma.backup.update({
      where: { id: backupId },
      data: { checksum: '0'.repeat(64) },
    });
    const verified = await faulty.holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
    );
    expect(verified).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_CHECKSUM', phase: 'CHECKSUM' },
      result: { problems: [{ entry: null }, { entry: 'files/app/a' }] },
    });
    await engine.deleteBackup(actor, backupId);
  });

  test('by deleting it behind the catalog is marked missing, and found again by the next that reads it', async () => {
    const { engine, actor } = faulty.holdfast;
    const { backupId, path } = await makeBackup();
    const content = await readFile(path);
    await rm(path);
    for (const begin of [
      () => engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
      () => engine.restoreBackup(actor, restoreOf(backupId)),
    ]) {
      const record = await faulty.holdfast.finished(await begin());
      expect(record).toMatchObject({
        status: 'FAILED',
        error: { code: 'STORAGE_UNAVAILABLE', hint: expect.stringContaining('Put the file back') },
      });
    }
    expect(await backupRow(backupId)).toMatchObject({ missing: true, lastVerdict: null });
    await writeFile(path, content);
    expect(
      (await faulty.holdfast.finished(await engine.verifyBackup(actor, { backupId, level: 'CONTENT' })))
        .status,
    ).toBe('SUCCEEDED');
    expect(await backupRow(backupId)).toMatchObject({ missing: false, lastVerdict: 'PASSED' });
    await engine.deleteBackup(actor, backupId);
  });
});

describe('an upload that is no good bundle', () => {
  test.each([
    [
      'of a newer format',
      forgeBundle([], { manifestBytes: Buffer.from('{"formatVersion":99}') }),
      'FORMAT_TOO_NEW',
    ],
    ['with nothing in it', forgeBundle([], { manifestBytes: Buffer.from('{}') }), 'INVALID_MANIFEST'],
    ['that is no zip', Buffer.from('hello'), 'INVALID_MANIFEST'],
  ])('%s is neither planned, restored nor imported', async (_what, content, code) => {
    const { engine, actor } = faulty.holdfast;
    await application.wreck();
    const before = await application.content();
    const stored = await readdir(join(faulty.holdfast.directory, 'bundles'), { recursive: true });
    const bundle = { uploadId: await upload(content) };
    const plan = { bundle, sourceId, selection: EVERYTHING };
    await expect(engine.restorePlan(actor, plan, never)).rejects.toMatchObject({ code });
    const restored = await faulty.restore({ ...restoreOf(''), ...plan });
    expect(restored).toMatchObject({
      status: 'FAILED',
      error: { code },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application.content()).toEqual(before);
    expect(restored.error?.phase).toBe('CONTENT');
    const imported = await faulty.holdfast.finished(
      await engine.importBackup(actor, bundle.uploadId, sourceId),
    );
    expect(imported).toMatchObject({ status: 'FAILED', error: { code, phase: 'CONTENT' }, backupId: null });
    expect(await readdir(join(faulty.holdfast.directory, 'bundles'), { recursive: true })).toEqual(stored);
  });

  test('is used by one record at a time, and stays until that is done', async () => {
    const { engine, actor } = faulty.holdfast;
    const { path } = await makeBackup();
    const uploadId = await upload(await readFile(path));
    const hold = faulty.hold('before store');
    const first = await engine.importBackup(actor, uploadId, sourceId);
    await hold.reached;
    await expect(engine.importBackup(actor, uploadId, sourceId)).rejects.toMatchObject({ code: 'LOCK_HELD' });
    hold.release();
    expect((await faulty.holdfast.finished(first)).status).toBe('SUCCEEDED');
    await expect(engine.importBackup(actor, uploadId, sourceId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is refused when it is empty', async () => {
    await expect(upload(Buffer.alloc(0))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is refused when it is larger than the limit, long before it ends, and nothing stays', async () => {
    const { engine, actor, parts } = faulty.holdfast;
    const before = await readdir(parts.directories.uploads);
    let sent = 0;
    const endless = new Readable({
      read() {
        sent += 1;
        this.push(Buffer.alloc(64 * 1024));
      },
    });
    await expect(engine.receiveUpload(actor, 'x.zip', endless, never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(String(LIMIT)),
    });
    expect(sent).toBeLessThan(100);
    expect(await readdir(parts.directories.uploads)).toEqual(before);
  });

  test('is dropped when the sender breaks off or the request is aborted, and nothing stays', async () => {
    const { engine, actor, parts } = faulty.holdfast;
    const before = await readdir(parts.directories.uploads);
    const broken = new PassThrough();
    broken.write(Buffer.alloc(1000));
    const receiving = engine.receiveUpload(actor, 'x.zip', broken, never);
    broken.destroy();
    await expect(receiving).rejects.toMatchObject({ code: 'CANCELED' });
    const aborting = new AbortController();
    const stalled = new PassThrough();
    stalled.write(Buffer.alloc(1000));
    const aborted = engine.receiveUpload(actor, 'x.zip', stalled, aborting.signal);
    aborting.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELED' });
    expect(await readdir(parts.directories.uploads)).toEqual(before);
  });
});

describe('a good upload', () => {
  test('is restored from where it lies, only into a source that is named, only with the flag when foreign', async () => {
    const { engine, actor } = faulty.holdfast;
    const other = await engine.createSource(actor, { ...application.definition, name: 'Another' });
    const { backupId, path } = await makeBackup();
    const bundled = await application.content();
    const bundle = { uploadId: await upload(await readFile(path)) };
    await expect(engine.restoreBackup(actor, restoreOf('', { ...noSnapshot, bundle }))).rejects.toMatchObject(
      { code: 'INVALID_INPUT', field: 'sourceId' },
    );

    await application.execute("UPDATE author SET name = 'changed'");
    const refused = await faulty.restore(restoreOf('', { ...noSnapshot, bundle, sourceId: other.id }));
    expect(refused).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_INPUT', phase: 'PLAN' } });
    expect(await application.content()).not.toEqual(bundled);
    await expect(
      engine.restoreBackup(actor, restoreOf(backupId, { ...noSnapshot, sourceId: other.id })),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'allowForeignSource' });

    const allowed = await faulty.restore(
      restoreOf('', { ...noSnapshot, bundle, sourceId: other.id, allowForeignSource: true }),
    );
    expect(allowed).toMatchObject({ status: 'SUCCEEDED', error: null });
    expect(await application.content()).toEqual(bundled);

    await application.execute("UPDATE author SET name = 'changed'");
    const own = await faulty.restore(restoreOf('', { ...noSnapshot, bundle, sourceId }));
    expect(own.status).toBe('SUCCEEDED');
    expect(await application.content()).toEqual(bundled);
    await engine.deleteSource(actor, other.id);
  });

  test('is imported as a backup that verifies and restores, and is gone from the uploads', async () => {
    const { engine, actor, parts } = faulty.holdfast;
    const { backupId, path } = await makeBackup();
    const bundled = await application.content();
    const uploadId = await upload(await readFile(path));
    await engine.deleteBackup(actor, backupId);
    const imported = await faulty.holdfast.finished(await engine.importBackup(actor, uploadId, sourceId));
    expect(imported).toMatchObject({ status: 'SUCCEEDED', result: { tables: 2 } });
    expect(await readdir(parts.directories.uploads)).not.toContain(uploadId);
    const id = imported.backupId ?? '';
    expect(
      (await faulty.holdfast.finished(await engine.verifyBackup(actor, { backupId: id, level: 'CONTENT' })))
        .status,
    ).toBe('SUCCEEDED');
    await application.wreck();
    expect((await faulty.restore(restoreOf(id, noSnapshot))).status).toBe('SUCCEEDED');
    expect(await application.content()).toEqual(bundled);
  });

  test('that claims to be made in the future counts as made when it was imported', async () => {
    const { engine, actor, opened } = faulty.holdfast;
    const content = forgeBundle([], {
      manifest: (manifest) => ({ ...manifest, createdAt: '2999-01-01T00:00:00.000Z' }),
    });
    const before = Date.now();
    const imported = await faulty.holdfast.finished(
      await engine.importBackup(actor, await upload(content), sourceId),
    );
    const { createdAt } = await opened.prisma.backup.findUniqueOrThrow({
      where: { id: imported.backupId ?? '' },
    });
    expect(createdAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(createdAt.getTime()).toBeLessThanOrEqual(Date.now());
    await engine.deleteBackup(actor, imported.backupId ?? '');
  });

  test('stays when its import fails in the catalog, and no bundle without a row does', async () => {
    const { engine, actor, parts } = faulty.holdfast;
    const { path } = await makeBackup();
    const uploadId = await upload(await readFile(path));
    const stored = await readdir(join(faulty.holdfast.directory, 'bundles'), { recursive: true });
    faulty.once('before catalogue', () => {
      throw new Error('the catalog is busy');
    });
    const failed = await faulty.holdfast.finished(await engine.importBackup(actor, uploadId, sourceId));
    expect(failed).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', phase: 'CATALOG' } });
    expect(await readdir(join(faulty.holdfast.directory, 'bundles'), { recursive: true })).toEqual(stored);
    expect(await readdir(parts.directories.uploads)).toContain(uploadId);
  });
});

describe('what does not exist', () => {
  const id = '00000000-0000-7000-8000-000000000000';

  test.each([
    [
      'createBackup',
      () =>
        faulty.holdfast.engine.createBackup(faulty.holdfast.actor, { sourceId: id, selection: EVERYTHING }),
    ],
    ['restoreBackup', () => faulty.holdfast.engine.restoreBackup(faulty.holdfast.actor, restoreOf(id))],
    [
      'restoreBackup from an upload',
      () =>
        faulty.holdfast.engine.restoreBackup(
          faulty.holdfast.actor,
          restoreOf('', { bundle: { uploadId: id }, sourceId }),
        ),
    ],
    [
      'restorePlan',
      () =>
        faulty.holdfast.engine.restorePlan(
          faulty.holdfast.actor,
          { bundle: { backupId: id }, sourceId: null, selection: EVERYTHING },
          never,
        ),
    ],
    [
      'verifyBackup',
      () => faulty.holdfast.engine.verifyBackup(faulty.holdfast.actor, { backupId: id, level: 'CONTENT' }),
    ],
    ['deleteBackup', () => faulty.holdfast.engine.deleteBackup(faulty.holdfast.actor, id)],
    ['pinBackup', () => faulty.holdfast.engine.pinBackup(faulty.holdfast.actor, id, true)],
    ['importBackup', () => faulty.holdfast.engine.importBackup(faulty.holdfast.actor, id, null)],
    ['cancelRecord', () => faulty.holdfast.engine.cancelRecord(faulty.holdfast.actor, id)],
    ['updateSource', () => faulty.holdfast.engine.updateSource(faulty.holdfast.actor, id, { name: 'x' })],
    ['deleteSource', () => faulty.holdfast.engine.deleteSource(faulty.holdfast.actor, id)],
    ['testSource', () => faulty.holdfast.engine.testSource(faulty.holdfast.actor, id, never)],
    [
      'rotateBackups',
      () =>
        faulty.holdfast.engine.rotateBackups(faulty.holdfast.actor, {
          sourceId: id,
          policy: { keepLast: 1, keepDays: null },
          dryRun: true,
        }),
    ],
    ['openBackup', () => faulty.holdfast.engine.openBackup(faulty.holdfast.actor.workspaceId, id, never)],
  ])('%s answers NOT_FOUND', async (_verb, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a tree or table that the source does not have is INVALID_INPUT', async () => {
    const { engine, actor } = faulty.holdfast;
    const { backupId } = await makeBackup();
    await expect(
      engine.createBackup(actor, { sourceId, selection: { ...EVERYTHING, trees: ['nowhere'] } }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'selection.trees' });
    const plan = { bundle: { backupId }, sourceId: null };
    const tables = [{ schema: null, name: 'nowhere' }];
    await expect(
      engine.restorePlan(actor, { ...plan, selection: { ...EVERYTHING, tables } }, never),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'selection.tables' });
  });

  test('a selection that restores nothing is NO_OP_RESTORE', async () => {
    const { backupId } = await makeBackup();
    const selection = { ...EVERYTHING, database: false, trees: [], configTrees: [] };
    expect(await faulty.restore(restoreOf(backupId, { selection }))).toMatchObject({
      status: 'FAILED',
      error: { code: 'NO_OP_RESTORE', phase: 'PLAN' },
    });
  });
});

describe('rotation', () => {
  test('says why for each backup, deletes what no rule keeps, and nothing in a dry run', async () => {
    const { engine, actor } = faulty.holdfast;
    const source = await engine.createSource(actor, { ...application.definition, name: 'Rotated' });
    const made: string[] = [];
    for (let n = 0; n < 4; n += 1) made.push((await faulty.holdfast.backUp(source.id)).backupId);
    const [pinned, doomed, kept, newest] = made;
    await engine.pinBackup(actor, pinned ?? '', true);
    const request = { sourceId: source.id, policy: { keepLast: 2, keepDays: null } };
    await expect(
      engine.rotateBackups(actor, { ...request, policy: { keepLast: -1, keepDays: null }, dryRun: false }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'keepLast' });

    const dry = await engine.rotateBackups(actor, { ...request, dryRun: true });
    expect(dry.record).toBeNull();
    expect(Object.fromEntries(dry.verdicts.map((verdict) => [verdict.backup.id, verdict.keep]))).toEqual({
      [pinned ?? '']: true,
      [doomed ?? '']: false,
      [kept ?? '']: true,
      [newest ?? '']: true,
    });
    const rotation = await engine.rotateBackups(actor, { ...request, dryRun: false });
    const record = await faulty.holdfast.finished(rotation.record?.id ?? '');
    expect(record).toMatchObject({ status: 'SUCCEEDED', result: { deleted: 1, kept: 3 } });
    const left = await faulty.holdfast.parts.catalog.backups.summaries(actor.workspaceId, source.id);
    expect(left.map((backup) => backup.id).sort()).toEqual([pinned, kept, newest].sort());
    await expect(engine.deleteBackup(actor, pinned ?? '')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('without a source judges the backups of every source', async () => {
    const { engine, actor } = faulty.holdfast;
    const made: string[] = [];
    for (const name of ['One of two', 'Two of two']) {
      const source = await engine.createSource(actor, { ...application.definition, name });
      made.push((await faulty.holdfast.backUp(source.id)).backupId);
    }
    const policy = { keepLast: 1, keepDays: null };
    const { verdicts } = await engine.rotateBackups(actor, { sourceId: null, policy, dryRun: true });
    expect(verdicts.map((verdict) => verdict.backup.id)).toEqual(expect.arrayContaining(made));
  });

  test('does not delete a backup whose missing bundle was put back', async () => {
    const { engine, actor } = faulty.holdfast;
    const source = await engine.createSource(actor, { ...application.definition, name: 'Put back' });
    const { backupId } = await faulty.holdfast.backUp(source.id);
    await faulty.holdfast.backUp(source.id);
    await faulty.holdfast.parts.catalog.backups.setMissing(backupId, true);
    const policy = { keepLast: 1, keepDays: null };
    const rotation = await engine.rotateBackups(actor, { sourceId: source.id, policy, dryRun: false });
    const record = await faulty.holdfast.finished(rotation.record?.id ?? '');
    expect(record).toMatchObject({ status: 'FAILED', result: { deleted: 0 } });
    expect(await backupRow(backupId)).toMatchObject({ missing: false });
  });

  test('deletes nothing of a source whose latest backup failed', async () => {
    const { engine, actor } = faulty.holdfast;
    const source = await engine.createSource(actor, { ...application.definition, name: 'Failing' });
    for (let n = 0; n < 2; n += 1) await faulty.holdfast.backUp(source.id);
    faulty.once('before store', () => {
      throw new Error('a fault');
    });
    expect((await faulty.create(source.id)).status).toBe('FAILED');
    const { verdicts } = await engine.rotateBackups(actor, {
      sourceId: source.id,
      policy: { keepLast: 1, keepDays: null },
      dryRun: true,
    });
    expect(verdicts.map((verdict) => verdict.keep)).toEqual([true, true]);
  });
});

test('nothing was left behind by any of this', async () => {
  const uploads = await readdir(faulty.holdfast.parts.directories.uploads);
  const leftovers = await faulty.holdfast.leftovers();
  expect(leftovers.filter((name) => !uploads.includes(name))).toEqual([]);
});
