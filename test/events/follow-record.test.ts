import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { followRecord } from '../../src/events/follow-record.ts';
import type { RecordEvent } from '../../src/events/record-event.ts';
import { RecordEventHub } from '../../src/events/record-event-hub.ts';
import { type TestCatalog, testCatalog } from '../catalog/support.ts';
import { aPhase, brief, next, rest, states, Work } from './support.ts';

let catalog: TestCatalog;
let hub: RecordEventHub;
beforeAll(async () => {
  catalog = await testCatalog();
});
beforeEach(() => {
  hub = new RecordEventHub((error) => {
    throw error;
  });
});
afterAll(() => catalog.remove());

function follow(work: Work, afterSequence: number | null, signal?: AbortSignal) {
  const parts = { records: catalog.catalog.records, source: hub };
  return followRecord(parts, work.record.workspaceId, work.record.id, afterSequence, signal);
}

/** 1 and 2 are behind every {@link Work}. */
async function workToTheEnd(): Promise<Work> {
  const work = await Work.begin(catalog, hub);
  await work.state('PHASE_STARTED', aPhase(0));
  await work.state('PHASE_FINISHED', aPhase(0, 5));
  await work.finish();
  return work;
}

const HISTORY = [
  '1 RECORD_SNAPSHOT',
  '2 RECORD_SNAPSHOT',
  '3 PHASE_STARTED',
  '4 PHASE_FINISHED',
  '5 RECORD_FINISHED',
];

test('a new subscriber gets a snapshot, then what happens, then the end', async () => {
  const work = await Work.begin(catalog, hub);
  const events = await follow(work, null);
  const first = await next(events);
  expect(first).toMatchObject({ type: 'RECORD_SNAPSHOT', sequence: 2, record: { status: 'RUNNING' } });
  const following = rest(events);
  await work.state('PHASE_STARTED', aPhase(0));
  work.tick(aPhase(0, 3));
  await work.state('PHASE_FINISHED', aPhase(0, 5));
  await work.finish();
  const all = await following;
  expect(states(all)).toEqual(HISTORY.slice(2));
  expect(all.at(-1)).toMatchObject({ record: { status: 'SUCCEEDED' } });
  expect(hub.listenerCount).toBe(0);
});

test('a finished record can be resumed from every point, and ends', async () => {
  const work = await workToTheEnd();
  for (let after = 0; after <= 5; after += 1) {
    const snapshot = `${after} RECORD_SNAPSHOT`;
    const all = await rest(await follow(work, after));
    expect(all.map(brief)).toEqual([snapshot, ...HISTORY.slice(after)]);
    expect(all[0]?.record.status).toBe('SUCCEEDED');
  }
  expect((await rest(await follow(work, null))).map(brief)).toEqual([
    '5 RECORD_SNAPSHOT',
    '5 RECORD_FINISHED',
  ]);
  expect((await rest(await follow(work, 99))).map(brief)).toEqual(['5 RECORD_SNAPSHOT']);
  expect((await rest(await follow(work, -3))).map(brief)).toEqual(['0 RECORD_SNAPSHOT', ...HISTORY]);
});

test('phases are told as they were persisted', async () => {
  const work = await workToTheEnd();
  const all = await rest(await follow(work, 3));
  expect(all[1]).toMatchObject({ type: 'PHASE_FINISHED', phase: aPhase(0, 5) });
});

test('a subscriber that reconnects after every event, also to another server, misses and repeats nothing', async () => {
  const work = await Work.begin(catalog, hub);
  const received: string[] = [];
  let after = 0;
  const receive = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      // Nothing but the catalog is left of the server that published.
      hub = new RecordEventHub(() => {});
      const events = await follow(work, after);
      await next(events);
      const event = await next(events);
      received.push(brief(event));
      after = event.sequence;
      await events.return?.();
    }
  };
  await receive(2);
  await work.state('PHASE_STARTED', aPhase(0));
  await work.state('PHASE_FINISHED', aPhase(0));
  await receive(2);
  await work.finish();
  await receive(1);
  expect(received).toEqual(HISTORY);
});

test('events between listening and reading are delivered once', async () => {
  const work = await Work.begin(catalog, hub);
  const { records } = catalog.catalog;
  let reads = 0;
  const parts = {
    source: hub,
    records: {
      running: records.running,
      find: records.find,
      async eventsAfter(id: string, sequence: number) {
        reads += 1;
        if (reads === 1) await work.state('PHASE_STARTED', aPhase(0));
        const rows = await records.eventsAfter(id, sequence);
        if (reads === 1) await work.state('PHASE_FINISHED', aPhase(0));
        return rows;
      },
    },
  };
  const events = await followRecord(parts, catalog.ours, work.record.id, 0);
  const following = rest(events);
  await expect.poll(() => reads).toBeGreaterThan(0);
  await expect.poll(() => work.record.lastSequence).toBe(4);
  await work.finish();
  expect(states(await following)).toEqual(['0 RECORD_SNAPSHOT', ...HISTORY]);
});

test('events that were published out of order or not at all are read from the catalog, in order', async () => {
  const work = await Work.begin(catalog, hub);
  const events = await follow(work, null);
  await next(events);
  const following = rest(events);
  const publishStarted = await work.persist('PHASE_STARTED', aPhase(0));
  const publishFinished = await work.persist('PHASE_FINISHED', aPhase(0));
  publishFinished();
  publishStarted();
  await work.persist('RECORD_FINISHED', null, { status: 'FAILED' });
  work.tick(aPhase(0, 9));
  expect((await following).map(brief)).toEqual(HISTORY.slice(2));
});

test('progress that is older than the last state event is dropped', async () => {
  const work = await Work.begin(catalog, hub);
  const events = await follow(work, null);
  await next(events);
  const following = rest(events);
  await work.state('PHASE_STARTED', aPhase(0));
  await work.state('PHASE_FINISHED', aPhase(0));
  work.tick(aPhase(0, 1), 2);
  work.tick(aPhase(1, 2), 4);
  await work.finish();
  const ticks = (await following).filter((event) => event.type === 'PHASE_PROGRESSED');
  expect(ticks.map((event) => event.sequence)).toEqual([4]);
});

test('a subscriber that fell behind by more than its mailbox holds still gets every state event', async () => {
  const work = await Work.begin(catalog, hub);
  const events = await follow(work, null);
  await next(events);
  const pending = next(events);
  for (let i = 0; i < 1_100; i += 1) await work.state('RECORD_CHANGED');
  await work.finish();
  const all = [await pending, ...(await rest(events))];
  expect(all.map((event) => event.sequence)).toEqual(Array.from({ length: 1_101 }, (_, i) => i + 3));
});

test('unknown records and those of another workspace are NOT_FOUND before anything listens', async () => {
  const work = await Work.begin(catalog, hub, catalog.theirs);
  const parts = { records: catalog.catalog.records, source: hub };
  for (const id of ['unknown', work.record.id]) {
    await expect(followRecord(parts, catalog.ours, id, null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(hub.listenerCount).toBe(0);
});

test.each([
  { when: 'idle, waiting for an event', started: true, waiting: true },
  { when: 'holding an event', started: true, waiting: false },
  { when: 'not begun', started: false, waiting: false },
])('a subscriber that leaves while $when is gone at once', async ({ started, waiting }) => {
  const work = await Work.begin(catalog, hub);
  const events = await follow(work, null);
  if (started) await next(events);
  const pending = waiting ? events.next() : undefined;
  if (waiting) await expect.poll(() => hub.listenerCount).toBe(1);
  await events.return?.();
  expect(hub.listenerCount).toBe(0);
  expect(await events.next()).toMatchObject({ done: true });
  if (pending !== undefined) expect(await pending).toMatchObject({ done: true });
});

test('an aborted signal ends the stream, before and while it is read', async () => {
  const work = await Work.begin(catalog, hub);
  const controller = new AbortController();
  const events = await follow(work, null, controller.signal);
  await next(events);
  const pending = events.next();
  controller.abort();
  expect(await pending).toMatchObject({ done: true });
  expect(hub.listenerCount).toBe(0);
  expect((await rest(await follow(work, null, AbortSignal.abort()))).length).toBeLessThanOrEqual(1);
  expect(hub.listenerCount).toBe(0);
});

test('a catalog that fails ends the stream with its error and leaves no listener', async () => {
  const work = await Work.begin(catalog, hub);
  const { find, running } = catalog.catalog.records;
  const eventsAfter = () => Promise.reject(new Error('disk on fire'));
  const parts = { source: hub, records: { find, running, eventsAfter } };
  const events = await followRecord(parts, catalog.ours, work.record.id, 0);
  await expect(rest(events)).rejects.toThrow('disk on fire');
  expect(hub.listenerCount).toBe(0);
});

test('500 subscribers of one record, 100 of them stalled, during 20,000 ticks and 50 state events', async () => {
  const work = await Work.begin(catalog, hub);
  const subscribers = await Promise.all(Array.from({ length: 500 }, () => follow(work, null)));
  await Promise.all(subscribers.map((events) => next(events)));
  const stalled = subscribers.splice(400);
  const reading = subscribers.map(rest);
  // Each stalled one asks for one more event and then never comes back.
  const lastWords = stalled.map((events) => next(events));
  expect(hub.listenerCount).toBe(500);

  const expected: string[] = [];
  for (let phase = 0; phase < 24; phase += 1) {
    await work.state('PHASE_STARTED', aPhase(phase));
    expected.push(`${work.record.lastSequence} PHASE_STARTED`);
    for (let i = 0; i < 834; i += 1) work.tick(aPhase(phase, i));
    await work.state('PHASE_FINISHED', aPhase(phase));
    expected.push(`${work.record.lastSequence} PHASE_FINISHED`);
  }
  await work.state('RECORD_CHANGED');
  await work.finish();
  expected.push('51 RECORD_SNAPSHOT', '52 RECORD_FINISHED');

  const received = await Promise.all(reading);
  for (const events of received) {
    expect(states(events)).toEqual(expected);
    const sequences = events.map((event) => event.sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  }
  // What waited for a stalled one: every state event and one tick a phase, not 20,000.
  expect(hub.listenerCount).toBe(100);
  const late: RecordEvent[][] = [];
  for (const [i, events] of stalled.entries()) {
    const words = await lastWords[i];
    if (words === undefined || i % 2 === 0) await events.return?.();
    else late.push([words, ...(await rest(events))]);
  }
  for (const events of late) {
    expect(states(events)).toEqual(expected);
    expect(events.length).toBeLessThanOrEqual(expected.length + 24 + 2);
  }
  expect(hub.listenerCount).toBe(0);
});
