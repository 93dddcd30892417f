import { afterAll, beforeEach, expect, test } from 'vitest';
import { followWorkspace } from '../../src/events/follow-workspace.ts';
import { RecordEventHub } from '../../src/events/record-event-hub.ts';
import { type TestCatalog, testCatalog } from '../catalog/support.ts';
import { aPhase, brief, next, Work } from './support.ts';

const catalogs: TestCatalog[] = [];
let catalog: TestCatalog;
let hub: RecordEventHub;
beforeEach(async () => {
  catalog = await testCatalog();
  catalogs.push(catalog);
  hub = new RecordEventHub((error) => {
    throw error;
  });
});
afterAll(async () => {
  for (const one of catalogs) await one.remove();
});

const follow = (signal?: AbortSignal) =>
  followWorkspace({ records: catalog.catalog.records, source: hub }, catalog.ours, signal);

test('it begins with what is running, then tells everything that moves, of its own workspace', async () => {
  const done = await Work.begin(catalog, hub);
  await done.finish();
  const active = await Work.begin(catalog, hub);
  const foreign = await Work.begin(catalog, hub, catalog.theirs);
  const events = follow();
  expect(await next(events)).toMatchObject({
    type: 'RECORD_SNAPSHOT',
    sequence: 2,
    record: { id: active.record.id },
  });
  const second = next(events);
  await expect.poll(() => hub.listenerCount).toBe(1);
  await foreign.finish();
  await active.state('PHASE_STARTED', aPhase(0));
  expect(brief(await second)).toBe('3 PHASE_STARTED');
  const fresh = await Work.begin(catalog, hub);
  expect(await next(events)).toMatchObject({ type: 'RECORD_SNAPSHOT', record: { id: fresh.record.id } });
  await active.finish();
  expect(await next(events)).toMatchObject({ type: 'RECORD_FINISHED', record: { id: active.record.id } });
  await events.return?.();
});

test('what the first snapshot shows already is not told again', async () => {
  const work = await Work.begin(catalog, hub);
  const { records } = catalog.catalog;
  const parts = {
    source: hub,
    records: {
      ...records,
      async running(workspaceId: string) {
        await work.state('PHASE_STARTED', aPhase(0));
        return records.running(workspaceId);
      },
    },
  };
  const events = followWorkspace(parts, catalog.ours);
  expect(brief(await next(events))).toBe('3 RECORD_SNAPSHOT');
  work.tick(aPhase(0), 2);
  await work.state('PHASE_FINISHED', aPhase(0));
  expect(brief(await next(events))).toBe('4 PHASE_FINISHED');
  await events.return?.();
});

test('a subscriber that fell far behind is shown what runs and what ended meanwhile', async () => {
  const ending = await Work.begin(catalog, hub);
  const running = await Work.begin(catalog, hub);
  const events = follow();
  await next(events);
  await next(events);
  const pending = next(events);
  await expect.poll(() => hub.listenerCount).toBe(1);
  await running.state('RECORD_CHANGED');
  await pending;
  for (let i = 0; i < 1_100; i += 1) await running.state('RECORD_CHANGED');
  await ending.finish();
  expect(await next(events)).toMatchObject({ type: 'RECORD_FINISHED', record: { id: ending.record.id } });
  expect(await next(events)).toMatchObject({
    type: 'RECORD_SNAPSHOT',
    sequence: running.record.lastSequence,
    record: { id: running.record.id },
  });
  await running.finish();
  expect((await next(events)).type).toBe('RECORD_FINISHED');
  await events.return?.();
});

test('a subscriber that leaves while it waits is gone at once; so is one whose signal aborts', async () => {
  const controller = new AbortController();
  const aborted = follow(controller.signal);
  const left = follow();
  const pending = [aborted.next(), left.next()];
  await expect.poll(() => hub.listenerCount).toBe(2);
  await left.return?.();
  expect(hub.listenerCount).toBe(1);
  controller.abort();
  for (const one of pending) expect(await one).toMatchObject({ done: true });
  expect(hub.listenerCount).toBe(0);
});
