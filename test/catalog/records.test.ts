import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_PROGRESS, type PhaseState, type RecordError } from '../../src/catalog/catalog.ts';
import { aRecord, aSource, type TestCatalog, testCatalog } from './support.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await testCatalog();
});
afterAll(() => catalog.remove());

const later = () => new Date(Date.now() + 60_000);
const earlier = () => new Date(Date.now() - 1);
const changed = { type: 'RECORD_CHANGED', phase: null } as const;
const finished = { type: 'RECORD_FINISHED', phase: null } as const;

const phase: PhaseState = {
  index: 0,
  name: 'TABLES',
  status: 'RUNNING',
  startedAt: '2026-01-02T03:04:05.000Z',
  finishedAt: null,
  progress: { ...NO_PROGRESS, rows: 9_007_199_254_740_991, fraction: 0.5, currentItem: 'público."ta\nble"' },
};

async function running(owner = 'host/1/1') {
  const { records } = catalog.catalog;
  const { id } = await records.create(aRecord(catalog.ours));
  await records.claim(id, owner, later());
  await records.append(id, owner, { status: 'RUNNING', startedAt: new Date() }, changed);
  return id;
}

test('a new record is queued, empty, and its first event has sequence number 1', async () => {
  const { records } = catalog.catalog;
  const record = await records.create(aRecord(catalog.ours, { request: null }));
  expect(record).toMatchObject({ status: 'QUEUED', phases: [], warnings: [], error: null, request: null });
  expect(record).toMatchObject({ progress: NO_PROGRESS, lastSequence: 1, leaseOwner: null, result: null });
  expect(await records.find(catalog.ours, record.id)).toEqual(record);
  expect(await records.find(catalog.theirs, record.id)).toBeUndefined();
  expect(await records.eventsAfter(record.id, 0)).toEqual([
    { recordId: record.id, sequence: 1, type: 'RECORD_CHANGED', occurredAt: expect.any(Date), phase: null },
  ]);
});

test('what is written with an event is what is read back', async () => {
  const { records } = catalog.catalog;
  const id = await running();
  const error: RecordError = { code: 'STORAGE_FULL', phase: 'STORE', message: 'no room', hint: null };
  const change = {
    phases: [phase],
    progress: phase.progress,
    warnings: ['a file vanished'],
    error,
    result: { rows: 1, list: [null, true] },
    sizeBytes: 9_007_199_254_740_993n,
  };
  const written = await records.append(id, 'host/1/1', change, { type: 'PHASE_STARTED', phase });
  expect(written.record).toMatchObject(change);
  expect(written.event).toMatchObject({ sequence: 3, type: 'PHASE_STARTED', phase });
  expect(await records.find(catalog.ours, id)).toEqual(written.record);
  expect((await records.eventsAfter(id, 2))[0]).toEqual(written.event);
  const cleared = await records.append(id, 'host/1/1', { error: null, result: null }, changed);
  expect(cleared.record).toMatchObject({ error: null, result: null, warnings: ['a file vanished'] });
});

test('events of a record have sequence numbers without a gap under concurrency, from two servers', async () => {
  const { records } = catalog.catalog;
  const other = await catalog.reopen();
  const id = await running();
  const sides = [records, other.catalog.records];
  const appended = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      sides[i % 2]?.append(id, 'host/1/1', { warnings: [`${i}`] }, changed),
    ),
  );
  const numbers = appended.map((result) => result?.event.sequence ?? 0);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 3));
  const persisted = await records.eventsAfter(id, 0);
  expect(persisted.map((event) => event.sequence)).toEqual(Array.from({ length: 62 }, (_, i) => i + 1));
});

test('a write beside a transaction that rolls back stays, and one within it goes', async () => {
  const { records } = catalog.catalog;
  const id = await running();
  const beside: Promise<void>[] = [];
  const failing = catalog.prisma.$transaction(async (tx) => {
    await tx.record.update({ where: { id }, data: { warnings: ['never'] } });
    beside.push(records.saveProgress(id, 'host/1/1', [phase], { ...NO_PROGRESS, rows: 40 }));
    for (let i = 0; i < 20; i += 1) await tx.record.count();
    throw new Error('changed its mind');
  });
  await expect(failing).rejects.toThrow('changed its mind');
  await Promise.all(beside);
  expect(await records.find(catalog.ours, id)).toMatchObject({ progress: { rows: 40 }, warnings: [] });
});

test('only one of many claims a record, and an expired lease can be taken over', async () => {
  const { records } = catalog.catalog;
  const { id } = await records.create(aRecord(catalog.ours));
  const claims = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => records.claim(id, owner, later())));
  expect(claims.filter(Boolean)).toHaveLength(1);
  const winner = ['a', 'b', 'c', 'd'][claims.indexOf(true)] ?? '';
  expect(await records.claim(id, winner, earlier())).toBe(true);
  expect(await records.claim(id, 'next', later())).toBe(true);
  expect(await records.renewLease(id, winner, later())).toBe(false);
  expect(await records.renewLease(id, 'next', later())).toBe(true);
  expect(await records.claim('unknown', 'next', later())).toBe(false);
});

test('whoever lost the lease changes nothing', async () => {
  const { records } = catalog.catalog;
  const id = await running();
  const before = await records.find(catalog.ours, id);
  await expect(records.append(id, 'ghost', { status: 'FAILED' }, finished)).rejects.toMatchObject({
    code: 'LOCK_LOST',
  });
  await records.saveProgress(id, 'ghost', [phase], { ...NO_PROGRESS, rows: 7 });
  expect(await records.find(catalog.ours, id)).toEqual(before);
  expect(await records.eventsAfter(id, 2)).toEqual([]);
});

test('a finished record has no lease, takes no event and cannot be claimed', async () => {
  const { records } = catalog.catalog;
  const id = await running();
  const end = await records.append(id, 'host/1/1', { status: 'SUCCEEDED', finishedAt: new Date() }, finished);
  expect(end.record).toMatchObject({ status: 'SUCCEEDED', leaseOwner: null, leaseUntil: null });
  await expect(records.append(id, 'host/1/1', {}, changed)).rejects.toMatchObject({ code: 'LOCK_LOST' });
  expect(await records.claim(id, 'next', later())).toBe(false);
  expect(await records.requestCancel(catalog.ours, id)).toEqual({ record: end.record, event: undefined });
});

test('cancelling: queued ends at once, running is asked, and the asking is not overwritten', async () => {
  const { records } = catalog.catalog;
  const queued = await records.create(aRecord(catalog.ours));
  expect(await records.requestCancel(catalog.theirs, queued.id)).toBeUndefined();
  const canceled = await records.requestCancel(catalog.ours, queued.id);
  expect(canceled).toMatchObject({
    record: { status: 'CANCELED', finishedAt: expect.any(Date), lastSequence: 2 },
    event: { type: 'RECORD_FINISHED', sequence: 2 },
  });
  const id = await running();
  expect(await records.requestCancel(catalog.ours, id)).toMatchObject({
    record: { status: 'CANCELING' },
    event: { type: 'RECORD_CHANGED', sequence: 3 },
  });
  expect((await records.requestCancel(catalog.ours, id))?.event).toBeUndefined();
  const next = await records.append(id, 'host/1/1', { status: 'RUNNING' }, changed);
  expect(next.record.status).toBe('CANCELING');
});

test('recovery finds what is unfinished, the console what runs, retention the latest backup attempt', async () => {
  const { records, sources } = catalog.catalog;
  const source = await sources.create(catalog.theirs, aSource('latest'));
  const make = async (change: Parameters<typeof aRecord>[1]) => {
    const { id } = await records.create(aRecord(catalog.theirs, { sourceId: source.id, ...change }));
    await records.claim(id, 'o', later());
    return id;
  };
  const end = (id: string, status: 'SUCCEEDED' | 'FAILED') =>
    records.append(id, 'o', { status, finishedAt: new Date() }, finished);
  await end(await make({}), 'SUCCEEDED');
  await sleep(2);
  const latest = await make({});
  await end(latest, 'FAILED');
  await sleep(2);
  await end(await make({ trigger: 'PRE_RESTORE' }), 'SUCCEEDED');
  await end(await make({ kind: 'VERIFY' }), 'SUCCEEDED');
  const queued = await make({});
  const active = await make({});
  await records.append(active, 'o', { status: 'RUNNING' }, changed);
  expect((await records.latestCreate(source.id))?.id).toBe(latest);
  expect((await records.running(catalog.theirs)).map((record) => record.id)).toEqual([active]);
  const unfinished = (await records.unfinished()).filter((record) => record.workspaceId === catalog.theirs);
  expect(unfinished.map((record) => record.id)).toEqual([queued, active]);
});

test('a record cannot point into another workspace', async () => {
  const { records, sources } = catalog.catalog;
  const source = await sources.create(catalog.theirs, aSource('foreign'));
  await expect(records.create(aRecord(catalog.ours, { sourceId: source.id }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});
