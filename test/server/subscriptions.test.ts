import { connect } from 'node:net';
import { type Client, createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { PhaseState, RecordRow } from '../../src/catalog/catalog.ts';
import type { RecordEvent } from '../../src/events/record-event.ts';
import { addRecord, addSource, startTestServer, type TestServer } from './support/test-server.ts';

const OWNER = 'test-owner';

let server: TestServer;
let clients: Client[] = [];
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  for (const client of clients) await client.dispose();
  clients = [];
  await server.stop();
});

const PROGRESS = `subscription ($id: ID!, $after: Int) { recordProgress(recordId: $id, afterSequence: $after) {
  __typename sequence record { id status } ... on PhaseProgressed { phase { name startedAt progress { rows } } }
} }`;

type Told = { __typename: string; sequence: number; record: { status: string }; phase?: unknown };

function newClient(key = server.keys.OWNER): Client {
  const client = createClient({
    url: server.url.replace('http', 'ws').concat('/graphql'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    shouldRetry: () => false,
  });
  clients.push(client);
  return client;
}

function overWebSocket(query: string, variables: Record<string, unknown>, client = newClient()) {
  return client.iterate<Record<string, Told>>({ query, variables });
}

/** Results of a GraphQL subscription over SSE, "distinct connections mode". */
async function* overSse(query: string, variables: object, signal?: AbortSignal) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${server.keys.OWNER}`,
    },
    body: JSON.stringify({ query, variables }),
    ...(signal && { signal }),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event === 'complete') return;
      if (event === 'next')
        yield JSON.parse(data ?? '') as { data?: Record<string, Told>; errors?: { message: string }[] };
    }
  }
}

function phase(name: PhaseState['name'], status: PhaseState['status'], rows: number): PhaseState {
  return {
    index: 0,
    name,
    status,
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
    progress: {
      rows,
      bytes: 0,
      files: 0,
      fraction: null,
      bytesPerSecond: 0,
      etaSeconds: null,
      currentItem: 'customers',
    },
  };
}

/** What the record runner does: persists, then publishes. */
async function work(record: RecordRow) {
  const { records } = server.opened.catalog;
  await records.claim(record.id, OWNER, new Date(Date.now() + 60_000));
  const append = async (
    change: Parameters<typeof records.append>[2],
    type: 'RECORD_CHANGED' | 'PHASE_STARTED' | 'PHASE_FINISHED' | 'RECORD_FINISHED',
    state: PhaseState | null,
  ) => {
    const { record: row, event } = await records.append(record.id, OWNER, change, { type, phase: state });
    const common = { sequence: event.sequence, occurredAt: event.occurredAt, record: row };
    const published: RecordEvent =
      type === 'RECORD_CHANGED'
        ? { type: 'RECORD_SNAPSHOT', ...common }
        : type === 'RECORD_FINISHED'
          ? { type, ...common }
          : { type, ...common, phase: state ?? phase('TABLES', 'RUNNING', 0) };
    server.hub.publish(published);
    return row;
  };
  return {
    begin: () => append({ status: 'RUNNING', startedAt: new Date() }, 'RECORD_CHANGED', null),
    startPhase: () => append({}, 'PHASE_STARTED', phase('TABLES', 'RUNNING', 0)),
    tick: (row: RecordRow, rows: number) =>
      server.hub.publish({
        type: 'PHASE_PROGRESSED',
        sequence: row.lastSequence,
        occurredAt: new Date(),
        record: row,
        phase: phase('TABLES', 'RUNNING', rows),
      }),
    endPhase: () => append({}, 'PHASE_FINISHED', phase('TABLES', 'SUCCEEDED', 9)),
    end: () => append({ status: 'SUCCEEDED', finishedAt: new Date() }, 'RECORD_FINISHED', null),
  };
}

async function listening(count: number): Promise<void> {
  await vi.waitFor(() => expect(server.hub.listenerCount).toBe(count), { timeout: 10_000, interval: 5 });
}

describe.each([
  ['WebSocket', overWebSocket],
  ['SSE', overSse],
] as const)('over %s', (_name, subscribe) => {
  test('a record is shown as it stands, then everything that happens, then the stream ends', async () => {
    const record = await addRecord(server);
    const worker = await work(record);
    const told: Told[] = [];
    const following = (async () => {
      for await (const { data } of subscribe(PROGRESS, { id: record.globalId })) {
        if (data?.['recordProgress']) told.push(data['recordProgress']);
      }
    })();
    await vi.waitFor(() => expect(told).toHaveLength(1), { interval: 5 });
    await worker.begin();
    const row = await worker.startPhase();
    await vi.waitFor(() => expect(told).toHaveLength(3), { interval: 5 });
    worker.tick(row, 5);
    await vi.waitFor(() => expect(told).toHaveLength(4), { interval: 5 });
    await worker.endPhase();
    await worker.end();
    await following;
    expect(told.map((event) => [event.__typename, event.sequence, event.record.status])).toEqual([
      ['RecordSnapshot', 1, 'QUEUED'],
      ['RecordSnapshot', 2, 'RUNNING'],
      ['PhaseStarted', 3, 'RUNNING'],
      ['PhaseProgressed', 3, 'RUNNING'],
      ['PhaseFinished', 4, 'RUNNING'],
      ['RecordFinished', 5, 'SUCCEEDED'],
    ]);
    expect(told[3]?.phase).toMatchObject({ name: 'TABLES', progress: { rows: '5' } });
    await listening(0);
  });

  test('a subscriber that comes back is told what it missed, once', async () => {
    const record = await addRecord(server);
    const worker = await work(record);
    await worker.begin();
    await worker.startPhase();
    await worker.endPhase();
    await worker.end();
    const told: (readonly [string, number])[] = [];
    for await (const { data } of subscribe(PROGRESS, { id: record.globalId, after: 2 })) {
      const event = data?.['recordProgress'];
      if (event) told.push([event.__typename, event.sequence]);
    }
    expect(told).toEqual([
      ['RecordSnapshot', 2],
      ['PhaseStarted', 3],
      ['PhaseFinished', 4],
      ['RecordFinished', 5],
    ]);
  });

  test('workspaceEvents begin with what runs and hide other workspaces', async () => {
    const ours = await addRecord(server);
    const theirs = await addRecord(server, { workspaceId: server.otherWorkspaceId });
    const worker = await work(ours);
    await worker.begin();
    const query = 'subscription { workspaceEvents { __typename sequence record { id status } } }';
    const stream = subscribe(query, {})[Symbol.asyncIterator]();
    const first = await stream.next();
    expect(first.value?.data?.['workspaceEvents']?.record).toEqual({ id: ours.globalId, status: 'RUNNING' });
    server.hub.publish({
      type: 'RECORD_FINISHED',
      sequence: 9,
      occurredAt: new Date(),
      record: theirs,
    });
    await worker.end();
    const second = await stream.next();
    expect(second.value?.data?.['workspaceEvents']?.record).toEqual({
      id: ours.globalId,
      status: 'SUCCEEDED',
    });
    await stream.return?.();
    await listening(0);
  });

  test('an unknown record is refused with its code, and the connection lives on', async () => {
    const results: unknown[] = [];
    try {
      for await (const result of subscribe(PROGRESS, { id: 'nonsense' })) results.push(result);
    } catch (error) {
      results.push({ errors: error });
    }
    expect(JSON.stringify(results)).toContain('NOT_FOUND');
    expect(JSON.stringify(results)).not.toContain('"http"');
  });
});

describe('subscribers', () => {
  test('that go away are forgotten at once, not at the next event', async () => {
    const record = await addRecord(server);
    const client = newClient();
    const stream = overWebSocket(PROGRESS, { id: record.globalId }, client);
    await stream.next();
    const abort = new AbortController();
    const sse = overSse(PROGRESS, { id: record.globalId }, abort.signal);
    await sse.next();
    await listening(2);
    abort.abort();
    await listening(1);
    client.terminate();
    await listening(0);
  });

  test('by the hundred cost no query per event, even when they ask for the source', async () => {
    const source = await addSource(server, 'watched');
    const record = await addRecord(server, { sourceId: source.id });
    const worker = await work(record);
    const running = await worker.begin();
    const query = `subscription ($id: ID!) { recordProgress(recordId: $id) {
      __typename record { status kind progress { rows } phases { name } warnings source { name } } } }`;
    const client = newClient();
    const told = Array.from({ length: 500 }, () => 0);
    const followers = told.map(async (_, index) => {
      const names = new Set<string | undefined>();
      for await (const { data } of client.iterate<Record<string, { record: { source: { name: string } } }>>({
        query,
        variables: { id: record.globalId },
      })) {
        told[index] = (told[index] ?? 0) + 1;
        names.add(data?.['recordProgress']?.record.source.name);
      }
      return [...names];
    });
    await listening(500);
    await vi.waitFor(() => expect(told.every((count) => count === 1)).toBe(true), { timeout: 30_000 });
    const before = server.queries();
    worker.tick({ ...running, progress: { ...running.progress, rows: 7 } }, 7);
    await vi.waitFor(() => expect(told.every((count) => count === 2)).toBe(true), { timeout: 30_000 });
    expect(server.queries() - before).toBeLessThanOrEqual(1);
    await worker.end();
    expect(new Set((await Promise.all(followers)).flat())).toEqual(new Set(['watched']));
    await listening(0);
  });

  test('a viewer may watch', async () => {
    const record = await addRecord(server);
    const client = newClient(server.keys.VIEWER);
    const { value } = await overWebSocket(PROGRESS, { id: record.globalId }, client).next();
    expect(value?.data?.['recordProgress']?.record.status).toBe('QUEUED');
    await client.dispose();
    await listening(0);
  });

  test('a negative afterSequence is refused before anything is listened to', async () => {
    const record = await addRecord(server);
    const { errors } = await server.ask(PROGRESS, { id: record.globalId, after: -1 });
    expect(errors?.[0]).toMatchObject({
      message: 'afterSequence: must not be negative',
      extensions: { code: 'INVALID_INPUT' },
    });
    expect(server.hub.listenerCount).toBe(0);
  });

  test('that stall in the middle of SSE are cleaned up when they go', async () => {
    const record = await addRecord(server);
    const { port } = new URL(server.url);
    const body = JSON.stringify({ query: PROGRESS, variables: { id: record.globalId } });
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      [
        'POST /graphql HTTP/1.1',
        'Host: localhost',
        'Accept: text/event-stream',
        'Content-Type: application/json',
        `Authorization: Bearer ${server.keys.OWNER}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    );
    socket.pause();
    await listening(1);
    for (let tick = 0; tick < 20_000; tick += 1) {
      server.hub.publish({
        type: 'PHASE_PROGRESSED',
        sequence: record.lastSequence,
        occurredAt: new Date(),
        record,
        phase: phase('TABLES', 'RUNNING', tick),
      });
      if (tick % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server.hub.listenerCount).toBe(1);
    socket.destroy();
    await listening(0);
  });
});

describe('a fault while an event is told', () => {
  test('is masked, and other operations of the socket go on', async () => {
    const record = await addRecord(server);
    const client = newClient();
    const broken = overWebSocket(PROGRESS, { id: record.globalId }, client);
    await broken.next();
    // No moment in time: it cannot be told.
    server.hub.publish({
      type: 'PHASE_PROGRESSED',
      sequence: record.lastSequence,
      occurredAt: new Date(),
      record,
      phase: { ...phase('TABLES', 'RUNNING', 1), startedAt: 'yesterday' },
    });
    const { value } = await broken.next();
    expect(value?.errors?.[0]).toMatchObject({
      message: expect.stringContaining('Something went wrong inside Holdfast'),
      extensions: { code: 'INTERNAL' },
    });
    expect(JSON.stringify(value)).not.toContain('"http"');
    const other = await overWebSocket('{ viewer { name } }', {}, client).next();
    expect(other.value?.data).toEqual({ viewer: { name: 'owner' } });
    await client.dispose();
    await listening(0);
  });
});

test('WebSocket operations obey limits and rules as HTTP does', async () => {
  const client = newClient();
  const syntax = overWebSocket('subscription {', {}, client).next();
  await expect(syntax).rejects.toMatchObject([{ message: expect.stringContaining('Syntax Error') }]);
  const unknown = overWebSocket('{ nothing }', {}, client).next();
  await expect(unknown).rejects.toMatchObject([{ message: expect.stringContaining('Cannot query field') }]);
  const deep = `subscription { workspaceEvents { record ${'{ parent '.repeat(15)}{ id }${' }'.repeat(15)} } }`;
  const told = await overWebSocket(deep, {}, client)
    .next()
    .catch((errors: unknown) => errors);
  expect(JSON.stringify(told)).toContain('levels deep; the limit is 15');
  expect(server.hub.listenerCount).toBe(0);
});

test('an orderly end closes sockets and streams', async () => {
  const stopping = await startTestServer();
  try {
    const record = await addRecord(stopping);
    const closed = Promise.withResolvers<unknown>();
    const client = createClient({
      url: stopping.url.replace('http', 'ws').concat('/graphql'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${stopping.keys.OWNER}` },
      shouldRetry: () => false,
      on: { closed: closed.resolve },
    });
    const stream = client.iterate({ query: PROGRESS, variables: { id: record.globalId } });
    await stream.next();
    const response = await fetch(`${stopping.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${stopping.keys.OWNER}`,
      },
      body: JSON.stringify({ query: PROGRESS, variables: { id: record.globalId } }),
    });
    const ended = response.text().catch(() => 'broken off');
    await vi.waitFor(() => expect(stopping.hub.listenerCount).toBe(2), { interval: 5 });
    stream.next().catch(() => {});
    await Promise.all([stopping.close(), stopping.close()]);
    expect(await closed.promise).toMatchObject({ code: 1001 });
    await ended;
    expect(stopping.hub.listenerCount).toBe(0);
    await expect(fetch(`${stopping.url}/health`)).rejects.toThrow();
    await client.dispose();
  } finally {
    await stopping.stop();
  }
});
