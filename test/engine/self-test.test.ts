import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import type { SelfTestResult } from '../../src/engine/record-result.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { TestEngine } from '../support/engine.ts';
import { runKilled } from '../support/engine-kill.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

const STEPS = ['COLLECT', 'BACK_UP', 'DESTROY', 'RESTORE', 'VERIFY', 'CLEAN_UP'];

let faulty: FaultyEngine;
let holdfast: TestEngine;
/** What the storage does otherwise than it should. */
let storageFault: Partial<Storage> = {};
/** What was stored, by the name of its folder. */
const stored: string[] = [];

beforeAll(async () => {
  faulty = await FaultyEngine.start(({ storage }) => ({
    storage: {
      create: (key, signal) => {
        stored.push(key);
        return storage.create(key, signal);
      },
      open: (key, signal) => (storageFault.open ?? storage.open)(key, signal),
      stat: (key, signal) => storage.stat(key, signal),
      delete: (key, signal) => (storageFault.delete ?? storage.delete)(key, signal),
      hasFolder: (folder, signal) => storage.hasFolder(folder, signal),
      list: (folder, signal) => storage.list(folder, signal),
      sweep: (key, signal) => storage.sweep(key, signal),
    },
  }));
  holdfast = faulty.holdfast;
});
afterEach(() => {
  faulty.at = () => undefined;
  storageFault = {};
});
afterAll(() => holdfast.remove());

function start(): Promise<RecordRow> {
  return holdfast.engine.runSelfTest(holdfast.actor, {});
}

async function run(): Promise<RecordRow> {
  return await holdfast.finished(await start());
}

function statuses({ result }: RecordRow): Record<string, string> {
  // A self-test has no other result.
  const { steps } = result as unknown as SelfTestResult;
  return Object.fromEntries(steps.map(({ name, status }) => [name, status]));
}

async function nothingStays(): Promise<void> {
  expect(await holdfast.leftovers()).toEqual([]);
  expect(await holdfast.opened.prisma.backup.count()).toBe(0);
  expect(await holdfast.opened.prisma.source.count()).toBe(0);
}

test('a canary goes the whole way and comes back: every step is told with its time, and nothing stays', async () => {
  const record = await run();
  expect(record).toMatchObject({ kind: 'SELF_TEST', status: 'SUCCEEDED', error: null, warnings: [] });
  expect(record.progress.fraction).toBe(1);
  // Every row, and every file and link of the canary.
  expect(record.progress).toMatchObject({ rows: 19, files: 10 });
  expect(record.result).toMatchObject({
    kind: 'SELF_TEST',
    steps: STEPS.map((name) => ({
      name,
      status: 'SUCCEEDED',
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
      seconds: expect.any(Number),
    })),
  });
  expect(record.phases.map(({ name }) => name)).toEqual([
    'COLLECT',
    'SNAPSHOT',
    'TABLES',
    'FILES',
    'STORE',
    'DESTROY',
    'CHECKSUM',
    'CONTENT',
    'STAGE_FILES',
    'CLEAR_TABLES',
    'LOAD_TABLES',
    'CONSTRAINTS',
    'COMMIT',
    'PROVE',
    'CLEAN_UP',
  ]);
  expect(stored.at(-1)).toMatch(/self-test_/);
  await nothingStays();
});

test('its bundle is sealed with the key, signed, in the real storage, and the canary is gone before it is restored', async () => {
  let manifest: unknown;
  let left: string[] = [];
  faulty.at = async (point) => {
    if (point !== 'before PHASE_FINISHED DESTROY') return;
    const [key] = stored.slice(-1);
    const file = await holdfast.parts.storage.open(key ?? '', new AbortController().signal);
    const reader = await holdfast.parts.bundles.openReader(file, new AbortController().signal);
    manifest = { ...reader.manifest, locked: reader.locked };
    await reader.close();
    const { id } = await holdfast.opened.prisma.record.findFirstOrThrow({ where: { status: 'RUNNING' } });
    left = await readdir(join(holdfast.parts.directories.temporary, id, 'self-test'));
  };
  expect(await run()).toMatchObject({ status: 'SUCCEEDED' });
  expect(manifest).toMatchObject({
    locked: true,
    encryption: { mode: 'KEY' },
    signature: { algorithm: 'Ed25519' },
    database: {
      tables: [
        { name: 'parent', rowCount: 2 },
        { name: 'odd values', rowCount: 17 },
      ],
    },
  });
  expect(left).toEqual(['ground.sqlite']);
});

test('a storage that gives back other bytes fails it in RESTORE, with what to do, and nothing stays', async () => {
  const { storage } = holdfast.parts;
  storageFault = {
    async open(key, signal) {
      storageFault = {};
      const file = await storage.open(key, signal);
      return {
        sizeBytes: file.sizeBytes,
        read: (from, to, reading) =>
          Readable.from(
            (async function* () {
              for await (const chunk of file.read(from, to, reading)) {
                const bytes = Buffer.from(chunk as Buffer);
                bytes.writeUInt8(bytes.readUInt8(0) ^ 1);
                yield bytes;
              }
            })(),
          ),
        close: () => file.close(),
      };
    },
  };
  const record = await run();
  expect(record).toMatchObject({
    status: 'FAILED',
    error: {
      code: 'INVALID_CHECKSUM',
      phase: 'CHECKSUM',
      message: expect.stringMatching(/failed in its step RESTORE: .*damaged/),
      hint: expect.stringMatching(/./),
    },
  });
  expect(statuses(record)).toEqual({
    COLLECT: 'SUCCEEDED',
    BACK_UP: 'SUCCEEDED',
    DESTROY: 'SUCCEEDED',
    RESTORE: 'FAILED',
    VERIFY: 'SKIPPED',
    CLEAN_UP: 'SUCCEEDED',
  });
  await nothingStays();
});

test('what is restored otherwise than it was fails it in VERIFY, by name', async () => {
  faulty.once('before PHASE_STARTED PROVE', async () => {
    const { id } = await holdfast.opened.prisma.record.findFirstOrThrow({ where: { status: 'RUNNING' } });
    const { chmod } = await import('node:fs/promises');
    await chmod(join(holdfast.parts.directories.temporary, id, 'self-test/files/run.sh'), 0o644);
  });
  const record = await run();
  expect(record).toMatchObject({
    status: 'FAILED',
    error: {
      code: 'INVALID_CHECKSUM',
      phase: 'PROVE',
      message: expect.stringMatching(/VERIFY: .*run\.sh\.$/),
    },
  });
  expect(statuses(record)).toMatchObject({ VERIFY: 'FAILED', CLEAN_UP: 'SUCCEEDED' });
  await nothingStays();
});

test('a full disk while it backs up fails it in BACK_UP, and nothing stays', async () => {
  faulty.once('before store', () => {
    throw new HoldfastError('STORAGE_FULL', 'No room.');
  });
  const record = await run();
  expect(record).toMatchObject({
    status: 'FAILED',
    error: { code: 'STORAGE_FULL', phase: 'STORE', message: expect.stringContaining('BACK_UP: No room.') },
  });
  await nothingStays();
});

test('a bundle that cannot be deleted fails it, and says which one', async () => {
  storageFault = {
    async delete() {
      throw new HoldfastError('STORAGE_UNAVAILABLE', 'read-only');
    },
  };
  const record = await run();
  expect(record).toMatchObject({
    status: 'FAILED',
    error: {
      code: 'STORAGE_UNAVAILABLE',
      phase: 'CLEAN_UP',
      message: expect.stringContaining(stored.at(-1) ?? ''),
    },
  });
  expect(statuses(record)).toMatchObject({ VERIFY: 'SUCCEEDED', CLEAN_UP: 'FAILED' });
  expect(await readdir(holdfast.parts.directories.temporary)).toEqual([]);
  storageFault = {};
  await holdfast.parts.storage.delete(stored.at(-1) ?? '', new AbortController().signal);
  await nothingStays();
});

test('a cancellation stops it, and nothing stays', async () => {
  const record = await faulty.cancelAt('after PHASE_STARTED LOAD_TABLES', start);
  expect(record.status).toBe('CANCELED');
  expect(statuses(record)).toMatchObject({ RESTORE: 'CANCELED', VERIFY: 'SKIPPED', CLEAN_UP: 'SUCCEEDED' });
  await nothingStays();
});

test.each([
  'after load of odd values',
  'after store',
  'before PHASE_FINISHED DESTROY',
  'before PHASE_STARTED LOAD_TABLES',
  'before PHASE_FINISHED COMMIT',
  'before PHASE_FINISHED CLEAN_UP',
])(
  'what a process leaves that is killed %s is removed by the next start: bundle, canary, open record',
  async (killAt) => {
    await holdfast.stop();
    await runKilled({ directory: holdfast.directory, killAt, work: { kind: 'SELF_TEST' } });
    const { TestEngine: Engine } = await import('../support/engine.ts');
    const next = await Engine.start(undefined, holdfast.directory);
    holdfast = next;
    const record = await next.lastRecord();
    expect(record).toMatchObject({
      kind: 'SELF_TEST',
      status: 'FAILED',
      error: { message: expect.stringContaining('was removed'), hint: expect.stringContaining('again') },
    });
    expect(statuses(record)).toMatchObject({ CLEAN_UP: 'SUCCEEDED' });
    await nothingStays();
  },
);

describe('one that is recovered', () => {
  /** A self-test of a process that died in its middle. */
  async function deadRecord(): Promise<string> {
    const { catalog } = holdfast.parts;
    const { workspaceId } = holdfast.actor;
    const step = { startedAt: null, finishedAt: null, seconds: null };
    const { id } = await catalog.records.create({
      workspaceId,
      kind: 'SELF_TEST',
      trigger: 'MANUAL',
      requestedBy: 'owner',
      request: { storageKey: `${workspaceId}/self-test_dead.zip` },
    });
    const steps = STEPS.map((name) => ({
      name,
      status: name === 'COLLECT' ? 'RUNNING' : 'WAITING',
      ...step,
    }));
    await holdfast.opened.prisma.record.update({
      where: { id },
      data: { result: { kind: 'SELF_TEST', steps } },
    });
    return id;
  }

  /** A start of the server, once the lease of the record ran out, whose storage deletes nothing. */
  async function startFailing(id: string, fault: unknown): Promise<void> {
    const lease = { leaseOwner: 'elsewhere@1/1/1', leaseUntil: new Date(0) };
    await holdfast.opened.prisma.record.update({ where: { id }, data: lease });
    const { TestEngine: Engine } = await import('../support/engine.ts');
    const next = await Engine.start(
      ({ storage }) => ({
        storage: {
          ...storage,
          delete: async () => {
            throw fault;
          },
        },
      }),
      holdfast.directory,
    );
    await next.stop();
  }

  test('waits for its storage, however often it is tried, without growing', async () => {
    const id = await deadRecord();
    const isGone = new HoldfastError('STORAGE_UNAVAILABLE', 'unplugged');
    for (let start = 0; start < 3; start += 1) await startFailing(id, isGone);
    expect(await holdfast.record(id)).toMatchObject({ phases: [], finishedAt: null });
    await startFailing(id, new Error('out of order'));
    const record = await holdfast.record(id);
    expect(record).toMatchObject({ status: 'FAILED' });
    expect(record.phases.map(({ name }) => name)).toEqual(['CLEAN_UP']);
    expect(statuses(record)).toMatchObject({ COLLECT: 'FAILED', BACK_UP: 'SKIPPED', CLEAN_UP: 'FAILED' });
  });
});
