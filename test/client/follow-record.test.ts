import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClient, type HoldfastClient, type RecordEvent } from '../../client/sdk/index.ts';
import { startProxy } from './support/breakable-proxy.ts';
import { API_KEY, startFakeServer } from './support/fake-server.ts';
import { RecordLog } from './support/record-log.ts';

type Running = Awaited<ReturnType<typeof startFakeServer>>;

let log: RecordLog;
let records: Map<string, RecordLog>;
let server: Running;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let client: HoldfastClient;

beforeEach(async () => {
  log = new RecordLog('record');
  records = new Map([['record', log]]);
  server = await startFakeServer(records);
  proxy = await startProxy(server.port);
  client = createClient({ url: proxy.url, apiKey: API_KEY });
});

afterEach(async () => {
  await proxy.stop();
  await server.stop();
});

const told = (events: readonly RecordEvent[]): (string | number)[] =>
  events.filter(({ __typename }) => __typename !== 'PhaseProgressed').map(({ sequence }) => sequence);

/** Collects in the background what is followed. */
function collect(events: AsyncIterable<RecordEvent>) {
  const seen: RecordEvent[] = [];
  const done = (async () => {
    for await (const event of events) seen.push(event);
  })();
  // Whoever awaits it is told; a test that expects the rejection awaits it later.
  done.catch(() => {});
  const reached = (sequence: number) =>
    vi.waitFor(() => expect(seen.at(-1)?.sequence).toBe(sequence), { timeout: 20_000, interval: 5 });
  return { seen, done, reached };
}

describe.each(['websocket', 'sse'] as const)('following a record over %s', (transport) => {
  test('tells the snapshot, every event, and ends after the final one', async () => {
    const { seen, done, reached } = collect(client.followRecord('record', { transport }));
    await reached(0);
    log.state();
    log.tick();
    log.state(true);
    await done;
    expect(seen.map(({ __typename }) => __typename)).toEqual(
      expect.arrayContaining(['RecordSnapshot', 'PhaseStarted', 'RecordFinished']),
    );
    expect(told(seen)).toEqual([0, 1, 2]);
    await vi.waitFor(() => expect(log.listening).toBe(0));
  });

  test('misses and repeats no state event when its connection is cut again and again', async () => {
    const { seen, done, reached } = collect(client.followRecord('record', { transport }));
    await reached(0);
    for (let number = 1; number <= 60; number++) {
      log.state();
      log.tick();
      if (number % 9 === 0) proxy.cut();
      if (number % 20 === 0) {
        await reached(number);
        proxy.cut();
      }
    }
    log.state(true);
    await done;
    expect(told(seen)).toEqual(Array.from({ length: 62 }, (_, index) => index));
    expect(log.asked.length).toBeGreaterThan(3);
    expect(log.asked.slice(1)).not.toContain(null);
  });

  test('goes on across a restart of the server, with what happened meanwhile', async () => {
    const { seen, done, reached } = collect(client.followRecord('record', { transport }));
    await reached(0);
    log.state();
    await reached(1);
    await server.stop();
    log.state();
    log.state();
    server = await startFakeServer(records, { port: server.port });
    await reached(3);
    log.state(true);
    await done;
    expect(told(seen)).toEqual([0, 1, 2, 3, 4]);
  });

  test('goes on after the sequence it is given', async () => {
    for (let number = 1; number <= 5; number++) log.state();
    const { seen, done, reached } = collect(client.followRecord('record', { transport, afterSequence: 3 }));
    await reached(5);
    log.state(true);
    await done;
    expect(told(seen)).toEqual([3, 4, 5, 6]);
  });

  test('tells the end of a record that ended before', async () => {
    log.state();
    log.state(true);
    const { seen, done } = collect(client.followRecord('record', { transport }));
    await done;
    expect(seen.map(({ __typename }) => __typename)).toEqual(['RecordSnapshot', 'RecordFinished']);
  });

  test('ends at once when everything was seen before', async () => {
    log.state(true);
    const { seen, done } = collect(client.followRecord('record', { transport, afterSequence: 1 }));
    await done;
    expect(seen.map(({ __typename }) => __typename)).toEqual(['RecordSnapshot']);
    expect(proxy.accepted).toBe(1);
  });

  test('refuses a wrong API key once, without trying again', async () => {
    const stranger = createClient({ url: proxy.url, apiKey: 'hf_wrong' });
    const { done } = collect(stranger.followRecord('record', { transport }));
    await expect(done).rejects.toMatchObject({
      name: 'HoldfastRequestError',
      code: 'UNAUTHENTICATED',
      hint: expect.stringMatching(/key/i),
    });
    expect(proxy.accepted).toBe(1);
  });

  test('refuses an unknown record once, without trying again', async () => {
    const { done } = collect(client.followRecord('nothing', { transport }));
    await expect(done).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'There is no record nothing.' });
    expect(proxy.accepted).toBe(1);
  });

  test('stops with the reason of an aborted signal, and the server is free of it', async () => {
    const controller = new AbortController();
    const { done, reached } = collect(
      client.followRecord('record', { transport, signal: controller.signal }),
    );
    await reached(0);
    controller.abort(new Error('enough'));
    await expect(done).rejects.toThrow('enough');
    await vi.waitFor(() => expect(log.listening).toBe(0));
  });

  test('leaving the loop frees the server', async () => {
    for await (const event of client.followRecord('record', { transport })) {
      expect(event.sequence).toBe(0);
      break;
    }
    await vi.waitFor(() => expect(log.listening).toBe(0));
  });

  test('return() does not wait for the next event', async () => {
    const events = client.followRecord('record', { transport })[Symbol.asyncIterator]();
    await events.next();
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await vi.waitFor(() => expect(log.listening).toBe(0));
  });

  test('a slow reader gets the newest progress instead of all of it', async () => {
    const events = client.followRecord('record', { transport })[Symbol.asyncIterator]();
    await events.next();
    for (let number = 0; number < 500; number++) log.tick();
    log.state(true);
    let last: RecordEvent | undefined;
    for (;;) {
      const { done, value } = await events.next();
      if (done) break;
      last = value;
    }
    expect(last?.__typename).toBe('RecordFinished');
  });

  test('follows the workspace across a cut', async () => {
    const controller = new AbortController();
    const { reached } = collect(client.followWorkspace({ transport, signal: controller.signal }));
    await reached(0);
    proxy.cut();
    await vi.waitFor(() => expect(log.asked.length).toBe(2), { timeout: 5000 });
    log.state();
    await reached(1);
    controller.abort();
  });
});

test('gives up a server that was never there, with a CONNECTION error', async () => {
  const { done } = collect(createClient({ url: 'http://127.0.0.1:9' }).followRecord('record'));
  await expect(done).rejects.toMatchObject({ code: 'CONNECTION' });
});
