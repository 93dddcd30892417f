import { randomBytes } from 'node:crypto';
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RecordRow, VerifyLevel } from '../../src/catalog/catalog.ts';
import { HoldfastError } from '../../src/errors.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyStorage, type StorageFault } from '../support/faulty-storage.ts';

const never = new AbortController().signal;

let storage: FaultyStorage;
let holdfast: TestEngine;
let application: Application;
let sourceId: string;
let backupId: string;
/** A bundle that an upload or a stray file is made of. */
let bundle: Buffer;

beforeAll(async () => {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  holdfast = await TestEngine.start((parts) => {
    storage = new FaultyStorage(parts.storage);
    return { storage, log: silent };
  });
  application = await sqliteApplication(join(holdfast.root, 'app'));
  await writeFile(join(application.directory, 'uploads/big.bin'), randomBytes(700_000));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
  const foreign = await holdfast.backUp(sourceId);
  const { storageKey } = await holdfast.opened.prisma.backup.findUniqueOrThrow({
    where: { id: foreign.backupId },
  });
  const path = join(holdfast.directory, 'bundles', storageKey);
  bundle = await readFile(path);
  await copyFile(path, join(holdfast.directory, 'aside.zip'));
  await holdfast.engine.deleteBackup(holdfast.actor, foreign.backupId);
});
afterAll(() => holdfast.remove());

beforeEach(async () => {
  storage.met = 0;
  backupId = (await holdfast.backUp(sourceId)).backupId;
});
afterEach(async () => {
  storage.fault = undefined;
  storage.onHang = () => undefined;
});

const folder = (): string => join(holdfast.directory, 'bundles', holdfast.actor.workspaceId);

/** Everything that an operation that fails has to leave as it was. */
async function everything() {
  const names = (await readdir(folder())).sort();
  return {
    content: await application.content(),
    files: await Promise.all(names.map(async (name) => [name, (await stat(join(folder(), name))).size])),
    backups: (await holdfast.opened.prisma.backup.findMany({ orderBy: { id: 'asc' } })).map(
      ({ lastVerdict: _v, lastVerifiedAt: _a, lastVerifyMessage: _m, ...row }) => row,
    ),
    uploads: await readdir(holdfast.parts.directories.uploads),
  };
}

/** What an operation came to: the code of its error, wherever that was told, or nothing. */
async function outcome(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    const done = await work();
    // Operations resolve to their record, where they have one.
    return (done as RecordRow | undefined)?.error?.code;
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}

/** Starts a record and waits for its end; one that hangs in the storage is canceled. */
async function finish(begin: () => Promise<RecordRow>): Promise<RecordRow> {
  const begun = Promise.withResolvers<RecordRow>();
  storage.onHang = () => {
    void begun.promise.then(({ id }) => holdfast.engine.cancelRecord(holdfast.actor, id));
  };
  const record = await begin();
  begun.resolve(record);
  return await holdfast.finished(record);
}

/** A call that hangs in the storage is aborted by its caller. */
async function abortable(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  storage.onHang = () => controller.abort();
  await work(controller.signal);
}

const stray = () => join(folder(), 'stray.zip');
let uploadId = '';

/** Each puts in place what it needs, does its work, and is done again after its fault. */
const operations = {
  create: {
    prepare: async () => undefined,
    run: () =>
      finish(() => holdfast.engine.createBackup(holdfast.actor, { sourceId, selection: EVERYTHING })),
  },
  restore: {
    prepare: () => application.wreck(),
    run: () =>
      finish(() =>
        holdfast.engine.restoreBackup(holdfast.actor, restoreOf(backupId, { preRestoreBackup: 'NONE' })),
      ),
  },
  verifyChecksum: { prepare: async () => undefined, run: () => verify('CHECKSUM') },
  verifyContent: { prepare: async () => undefined, run: () => verify('CONTENT') },
  drill: { prepare: async () => undefined, run: () => verify('RESTORE') },
  import: {
    async prepare() {
      const { engine, actor } = holdfast;
      uploadId = (await engine.receiveUpload(actor, 'x.zip', Readable.from([bundle]), never)).id;
    },
    run: () => finish(() => holdfast.engine.importBackup(holdfast.actor, uploadId, sourceId)),
  },
  importStored: {
    prepare: () => copyFile(join(holdfast.directory, 'aside.zip'), stray()),
    run: () =>
      finish(() =>
        holdfast.engine.importStored(holdfast.actor, `${holdfast.actor.workspaceId}/stray.zip`, sourceId),
      ),
  },
  rotate: {
    prepare: async () => void (await holdfast.backUp(sourceId)),
    run: () =>
      finish(async () => {
        const policy = { keepLast: 1, keepDays: null };
        const request = { sourceId, policy, dryRun: false };
        const { record } = await holdfast.engine.rotateBackups(holdfast.actor, request);
        if (record === null) throw new Error('nothing was rotated');
        return record;
      }),
  },
  delete: {
    prepare: async () => undefined,
    run: () => holdfast.engine.deleteBackup(holdfast.actor, backupId),
  },
  reconcile: {
    prepare: async () => undefined,
    run: () =>
      abortable((signal) => holdfast.engine.reconcileStorage(holdfast.actor, { dryRun: false }, signal)),
  },
  unknown: {
    prepare: async () => undefined,
    run: () =>
      abortable((signal) =>
        holdfast.engine.unknownBundles(holdfast.actor, { after: null, count: 9 }, signal),
      ),
  },
  rows: {
    prepare: async () => undefined,
    run: () =>
      abortable((signal) =>
        holdfast.engine.readRows(
          holdfast.actor,
          backupId,
          { schema: null, name: 'author' },
          { from: 0, count: 3 },
          signal,
        ),
      ),
  },
} satisfies Record<string, { prepare(): Promise<unknown>; run(): Promise<unknown> }>;

function verify(level: VerifyLevel): Promise<RecordRow> {
  return finish(() => holdfast.engine.verifyBackup(holdfast.actor, { backupId, level }));
}

const full: StorageFault[] = [
  { at: 'CREATE', code: 'ENOSPC' },
  { at: 'WRITE', code: 'ENOSPC', after: 1 },
  { at: 'WRITE', code: 'ENOSPC', after: 500_000 },
  { at: 'COMMIT', code: 'ENOSPC' },
];
const failingWrites: StorageFault[] = [
  { at: 'HAS_FOLDER', code: 'EIO' },
  { at: 'CREATE', code: 'EACCES' },
  { at: 'WRITE', code: 'EIO', after: 1 },
  { at: 'WRITE', code: 'EIO', after: 500_000 },
  { at: 'COMMIT', code: 'EIO' },
];
const failingReads: StorageFault[] = [
  { at: 'OPEN', code: 'EIO' },
  { at: 'OPEN', code: 'EACCES' },
  { at: 'READ', code: 'EIO' },
];
const failingInTheMiddle: StorageFault = { at: 'READ', code: 'EIO', after: 400_000 };
const short: StorageFault[] = [
  { at: 'READ_SHORT', missing: 1 },
  { at: 'READ_SHORT', missing: 1000 },
];
const wrong: StorageFault = { at: 'READ_WRONG', position: (sizeBytes) => sizeBytes >> 1 };
const hanging = (...calls: Extract<StorageFault, { at: 'HANG' }>['call'][]): StorageFault[] =>
  calls.map((call) => ({ at: 'HANG', call }));

/** Operation, what goes wrong, and how that has to end. */
const cases: [keyof typeof operations, StorageFault[], code: string][] = [
  ['create', full, 'STORAGE_FULL'],
  ['create', failingWrites, 'STORAGE_UNAVAILABLE'],
  ['create', hanging('CREATE', 'WRITE'), 'CANCELED'],
  ['restore', [...failingReads, failingInTheMiddle, ...short], 'STORAGE_UNAVAILABLE'],
  ['restore', [wrong], 'INVALID_CHECKSUM'],
  ['restore', hanging('OPEN', 'READ'), 'CANCELED'],
  ...(['verifyChecksum', 'verifyContent', 'drill'] as const).flatMap(
    (operation): [keyof typeof operations, StorageFault[], string][] => [
      [operation, [...failingReads, failingInTheMiddle, ...short], 'STORAGE_UNAVAILABLE'],
      [operation, [wrong], 'INVALID_CHECKSUM'],
      [operation, hanging('OPEN', 'READ'), 'CANCELED'],
    ],
  ),
  ['import', full, 'STORAGE_FULL'],
  ['import', failingWrites, 'STORAGE_UNAVAILABLE'],
  ['import', hanging('CREATE', 'WRITE'), 'CANCELED'],
  [
    'importStored',
    [{ at: 'STAT', code: 'EIO' }, ...failingReads, failingInTheMiddle, ...short],
    'STORAGE_UNAVAILABLE',
  ],
  ['importStored', [wrong], 'INVALID_CHECKSUM'],
  ['importStored', hanging('OPEN', 'READ'), 'CANCELED'],
  [
    'rotate',
    [
      { at: 'DELETE', code: 'EIO' },
      { at: 'DELETE', code: 'EACCES' },
      { at: 'HAS_FOLDER', code: 'EIO' },
    ],
    'STORAGE_UNAVAILABLE',
  ],
  [
    'delete',
    [
      { at: 'DELETE', code: 'EIO' },
      { at: 'DELETE', code: 'EACCES' },
      { at: 'HAS_FOLDER', code: 'EIO' },
    ],
    'STORAGE_UNAVAILABLE',
  ],
  [
    'reconcile',
    [
      { at: 'HAS_FOLDER', code: 'EIO' },
      { at: 'LIST', code: 'EIO' },
    ],
    'STORAGE_UNAVAILABLE',
  ],
  ['reconcile', hanging('STAT', 'LIST'), 'CANCELED'],
  [
    'unknown',
    [
      { at: 'HAS_FOLDER', code: 'EIO' },
      { at: 'LIST', code: 'EIO' },
    ],
    'STORAGE_UNAVAILABLE',
  ],
  ['unknown', hanging('LIST'), 'CANCELED'],
  ['rows', [...failingReads, { at: 'READ_SHORT', missing: 1 }], 'STORAGE_UNAVAILABLE'],
  ['rows', hanging('OPEN', 'READ'), 'CANCELED'],
];

const nameOf = ({ at, ...rest }: StorageFault): string =>
  [at, ...Object.values(rest).map((value) => (typeof value === 'function' ? 'middle' : value))].join(' ');

describe.each(
  cases.flatMap(([operation, faults, code]) =>
    faults.map((fault) => [operation, nameOf(fault), code, fault] as const),
  ),
)('%s when the storage has %s', (operation, _fault, code, fault) => {
  test(`ends ${code}, leaves everything as it was, and works the next time`, async () => {
    const { prepare, run } = operations[operation];
    await prepare();
    const before = await everything();
    storage.fault = fault;
    expect(await outcome(run)).toBe(code);
    expect(storage.met).toBeGreaterThan(0);
    storage.fault = undefined;
    expect(await everything()).toEqual(before);
    expect(await application.leftovers()).toEqual([]);
    const uploads = new Set(await readdir(holdfast.parts.directories.uploads));
    const strays = (await holdfast.leftovers()).filter(
      (name) => !uploads.has(name) && !name.endsWith('/stray.zip'),
    );
    expect(strays).toEqual([]);
    // A source whose latest backup failed is not rotated.
    if (operation === 'rotate') await holdfast.backUp(sourceId);
    expect(await outcome(run)).toBeUndefined();
    await cleanUp();
  });
});

/** Without faults nothing of one test stays for the next. */
async function cleanUp(): Promise<void> {
  storage.fault = undefined;
  for (const { id } of await holdfast.opened.prisma.backup.findMany()) {
    await holdfast.engine.deleteBackup(holdfast.actor, id);
  }
  await rm(stray(), { force: true });
}

test('a verification that the storage keeps from looking says nothing of the backup', async () => {
  storage.fault = { at: 'READ', code: 'EIO', after: 400_000 };
  await operations.verifyContent.run();
  storage.fault = { at: 'READ_SHORT', missing: 1 };
  await operations.verifyChecksum.run();
  storage.fault = undefined;
  expect(await holdfast.opened.prisma.certificate.count({ where: { backupId } })).toBe(0);
  await cleanUp();
});

test('a slow storage makes everything late, and nothing wrong', async () => {
  for (const { prepare, run } of Object.values(operations)) {
    backupId = (await holdfast.backUp(sourceId)).backupId;
    await prepare();
    storage.fault = { at: 'SLOW', milliseconds: 1 };
    expect(await outcome(run)).toBeUndefined();
    await cleanUp();
  }
});

test('a storage that fails at each of many files is given up, one that fails at a few is not', async () => {
  const { id: _, ...row } = await holdfast.opened.prisma.backup.findUniqueOrThrow({
    where: { id: backupId },
  });
  const reconcile = () => holdfast.engine.reconcileStorage(holdfast.actor, { dryRun: false }, never);
  storage.fault = { at: 'STAT', code: 'EIO' };
  expect(await reconcile()).toMatchObject({ checked: 0, undecided: 1, vanished: 0 });
  const { workspaceId } = holdfast.actor;
  await holdfast.opened.prisma.backup.createMany({
    data: Array.from({ length: 100 }, (_unused, i) => ({
      ...row,
      manifest: {},
      name: `many-${i}.zip`,
      storageKey: `${workspaceId}/many-${i}.zip`,
    })),
  });
  storage.met = 0;
  await expect(reconcile()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  expect(storage.met).toBeLessThan(100);
  storage.fault = undefined;
  expect(await holdfast.opened.prisma.backup.count({ where: { missing: true } })).toBe(0);
  await cleanUp();
});
