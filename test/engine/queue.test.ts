import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { EVERYTHING, restoreOf } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

let faulty: FaultyEngine;
const applications: Application[] = [];
const sources: string[] = [];
let backupId: string;

beforeAll(async () => {
  // Only the renewal of leases and the ticks of progress use intervals; the test winds them on itself.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  faulty = await FaultyEngine.start();
  const { holdfast } = faulty;
  for (const name of ['One', 'Two', 'Three']) {
    const application = await sqliteApplication(join(holdfast.root, name));
    applications.push(application);
    sources.push(
      (await holdfast.engine.createSource(holdfast.actor, { ...application.definition, name })).id,
    );
  }
  backupId = (await holdfast.backUp(sourceOf(0))).backupId;
});

afterAll(async () => {
  vi.useRealTimers();
  await faulty.holdfast.remove();
});

afterEach(async () => {
  faulty.at = () => undefined;
  expect(await faulty.holdfast.leftovers()).toEqual([]);
});

function sourceOf(n: number): string {
  const id = sources[n];
  if (id === undefined) throw new Error('no such source');
  return id;
}

const without = { preRestoreBackup: 'NONE' } as const;

describe('one source', () => {
  test('has one restore at a time: of two at once, one is refused LOCK_HELD', async () => {
    const { engine, actor } = faulty.holdfast;
    const answers = await Promise.allSettled([
      engine.restoreBackup(actor, restoreOf(backupId, without)),
      engine.restoreBackup(actor, restoreOf(backupId, without)),
    ]);
    const [first] = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    expect(refusals).toEqual([expect.objectContaining({ code: 'LOCK_HELD' })]);
    expect(refusals[0]).toMatchObject({ message: expect.stringContaining(first?.id ?? 'nothing') });
    expect((await faulty.holdfast.finished(first?.id ?? '')).status).toBe('SUCCEEDED');
  });

  test('is not restored while it is backed up, and its backups wait for each other', async () => {
    const { engine, actor } = faulty.holdfast;
    const held = faulty.hold('in snapshot');
    const request = { sourceId: sourceOf(0), selection: EVERYTHING };
    const first = await engine.createBackup(actor, request);
    await held.reached;
    const second = await engine.createBackup(actor, request);
    await expect(engine.restoreBackup(actor, restoreOf(backupId, without))).rejects.toMatchObject({
      code: 'LOCK_HELD',
    });
    await expect(engine.deleteSource(actor, sourceOf(0))).rejects.toMatchObject({ code: 'LOCK_HELD' });
    expect((await faulty.holdfast.record(second.id)).status).toBe('QUEUED');
    held.release();
    const one = await faulty.holdfast.finished(first);
    const two = await faulty.holdfast.finished(second);
    expect([one.status, two.status]).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(two.startedAt?.getTime()).toBeGreaterThanOrEqual(
      one.finishedAt?.getTime() ?? Number.POSITIVE_INFINITY,
    );
  });

  test('is neither changed nor backed up while it is restored', async () => {
    const { engine, actor } = faulty.holdfast;
    const held = faulty.hold('after load of author');
    const restore = await engine.restoreBackup(actor, restoreOf(backupId, without));
    await held.reached;
    await expect(engine.updateSource(actor, sourceOf(0), { name: 'Elsewhere' })).rejects.toMatchObject({
      code: 'LOCK_HELD',
    });
    const backup = await engine.createBackup(actor, { sourceId: sourceOf(0), selection: EVERYTHING });
    expect((await faulty.holdfast.record(backup.id)).status).toBe('QUEUED');
    held.release();
    const restored = await faulty.holdfast.finished(restore);
    const backedUp = await faulty.holdfast.finished(backup);
    expect([restored.status, backedUp.status]).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(backedUp.startedAt?.getTime()).toBeGreaterThanOrEqual(
      restored.finishedAt?.getTime() ?? Number.POSITIVE_INFINITY,
    );
  });

  test('keeps its backup from being deleted while that is restored', async () => {
    const { engine, actor } = faulty.holdfast;
    const held = faulty.hold('in content');
    const restore = await engine.restoreBackup(actor, restoreOf(backupId, without));
    await held.reached;
    await expect(engine.deleteBackup(actor, backupId)).rejects.toMatchObject({ code: 'LOCK_HELD' });
    held.release();
    expect((await faulty.holdfast.finished(restore)).status).toBe('SUCCEEDED');
  });
});

describe('the queue', () => {
  test('forgets a canceled record, and gives its lock back at once', async () => {
    const { engine, actor } = faulty.holdfast;
    const released = Promise.withResolvers<void>();
    const reached: string[] = [];
    faulty.at = async (point) => {
      if (point !== 'in snapshot') return;
      reached.push(point);
      await released.promise;
    };
    // Two others take both places.
    const busy = await Promise.all(
      [1, 2].map((n) => engine.createBackup(actor, { sourceId: sourceOf(n), selection: EVERYTHING })),
    );
    await expect.poll(() => reached.length, { timeout: 20_000 }).toBe(2);
    const restore = await engine.restoreBackup(actor, restoreOf(backupId, without));
    const backup = await engine.createBackup(actor, { sourceId: sourceOf(1), selection: EVERYTHING });
    expect((await engine.cancelRecord(actor, restore.id)).status).toBe('CANCELED');
    expect((await engine.cancelRecord(actor, backup.id)).status).toBe('CANCELED');
    const again = await engine.restoreBackup(actor, restoreOf(backupId, without));
    released.resolve();
    for (const record of busy) expect((await faulty.holdfast.finished(record)).status).toBe('SUCCEEDED');
    expect((await faulty.holdfast.finished(again)).status).toBe('SUCCEEDED');
    expect((await faulty.holdfast.record(backup.id)).startedAt).toBeNull();
  });

  test('leaves a finished record as it is when it is canceled', async () => {
    const { engine, actor } = faulty.holdfast;
    const done = await faulty.create(sourceOf(0));
    expect((await engine.cancelRecord(actor, done.id)).status).toBe('SUCCEEDED');
  });
});

describe('a lock that is lost while the work goes on', () => {
  test.each([
    ['its row was taken by another', { recordId: 'another', owner: 'another/1/1', token: 999_999 }],
    ['its row was removed', undefined],
  ])('because %s stops the record at the next renewal', async (_how, change) => {
    const { prisma } = faulty.holdfast.opened;
    const { engine, actor } = faulty.holdfast;
    const application = applications[0];
    await application?.wreck();
    const before = await application?.content();
    const held = faulty.hold('after load of author');
    const restore = await engine.restoreBackup(actor, restoreOf(backupId, without));
    await held.reached;
    if (change === undefined) await prisma.lock.deleteMany();
    else await prisma.lock.updateMany({ data: change });
    await vi.advanceTimersByTimeAsync(8000);
    await expect.poll(() => faulty.log.includes('its record is stopped'), { timeout: 10_000 }).toBe(true);
    faulty.clearLog();
    held.release();
    const record = await faulty.holdfast.finished(restore);
    await prisma.lock.deleteMany({ where: { recordId: 'another' } });
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'LOCK_LOST', phase: 'LOAD_TABLES' },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application?.content()).toEqual(before);
  });

  test('is renewed as long as the record runs, though its time is long over', async () => {
    const { prisma } = faulty.holdfast.opened;
    const { engine, actor } = faulty.holdfast;
    const held = faulty.hold('in content');
    const restore = await engine.restoreBackup(actor, restoreOf(backupId, without));
    await held.reached;
    const soon = new Date(Date.now() + 1000);
    await prisma.lock.updateMany({ data: { expiresAt: soon } });
    await prisma.record.updateMany({ where: { id: restore.id }, data: { leaseUntil: soon } });
    await vi.advanceTimersByTimeAsync(8000);
    await expect
      .poll(async () => (await prisma.lock.findFirstOrThrow()).expiresAt.getTime(), { timeout: 10_000 })
      .toBeGreaterThan(soon.getTime());
    held.release();
    expect((await faulty.holdfast.finished(restore)).status).toBe('SUCCEEDED');
  });
});
