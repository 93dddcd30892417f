import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApplicationDatabase } from '../../client/demo/application-database.ts';
import { createClient, type HoldfastClient, type RecordEvent, unwrap } from '../../client/sdk/index.ts';
import { type App, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';

let directory: string;
let app: App;
let client: HoldfastClient;
let sourceId: string;

const start = (port: string): Promise<App> =>
  startApp(
    readConfig({
      HOLDFAST_DATA: join(directory, 'data'),
      HOLDFAST_ROOTS: join(directory, 'application'),
      HOLDFAST_PORT: port,
      HOLDFAST_LOG_LEVEL: 'silent',
    }),
  );

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-client-')));
  const application = join(directory, 'application');
  await mkdir(join(application, 'files'), { recursive: true });
  createApplicationDatabase(join(application, 'app.db'), 20_000);
  await writeFile(join(application, 'files', 'read me.txt'), 'text');
  app = await start('0');
  client = createClient({ url: app.url, apiKey: app.firstApiKey });
  const { source } = unwrap(
    await client.createSource({
      name: 'App',
      database: { sqlite: { path: join(application, 'app.db') } },
      trees: [{ name: 'files', path: join(application, 'files') }],
    }),
  );
  sourceId = source.id;
});

afterAll(async () => {
  await app.stop();
  await rm(directory, { recursive: true, force: true });
});

async function collect(events: AsyncIterable<RecordEvent>, until = Number.POSITIVE_INFINITY) {
  const seen: RecordEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (seen.length === until) break;
  }
  return seen;
}

/** Numbers of the state events: they must be each one more than the one before. */
function expectWithoutGap(events: readonly RecordEvent[]): void {
  const numbers = events
    .filter(({ __typename }) => __typename !== 'PhaseProgressed')
    .map(({ sequence }) => sequence);
  const first = numbers[0] ?? 0;
  expect(numbers).toEqual(numbers.map((_, index) => first + index));
}

async function makeBackup(): Promise<string> {
  const { record } = unwrap(await client.createBackup({ sourceId }));
  await collect(client.followRecord(record.id));
  const backup = (await client.record(record.id))?.backup;
  if (backup == null) throw new Error('no backup was made');
  return backup.id;
}

test('rows of a backup are read page by page', async () => {
  const id = await makeBackup();
  const [held] = (await client.backup(id))?.manifest.database?.tables ?? [];
  const name = held?.name ?? '';
  const first = await client.backupTableRows({ id, name, first: 3 });
  expect(first).toMatchObject({ name, rowCount: held?.rowCount, rows: { edges: { length: 3 } } });
  const after = first?.rows?.pageInfo.endCursor ?? null;
  const second = await client.backupTableRows({ id, name, first: 1, after });
  expect(second?.rows?.edges[0]?.node).toBeTypeOf('object');
  expect(second?.rows?.edges[0]?.node).not.toEqual(first?.rows?.edges[2]?.node);
  expect(await client.backupTableRows({ id, name: 'none' })).toBeNull();
});

describe.each(['websocket', 'sse'] as const)('a real server over %s', (transport) => {
  test('a backup is followed to its end, and again from any point', async () => {
    const { record } = unwrap(await client.createBackup({ sourceId }));
    const events = await collect(client.followRecord(record.id, { transport }));
    expectWithoutGap(events);
    expect(events.at(-1)).toMatchObject({ __typename: 'RecordFinished', record: { status: 'SUCCEEDED' } });
    const again = await collect(client.followRecord(record.id, { transport, afterSequence: 3 }));
    expectWithoutGap(again);
    expect(again[0]?.sequence).toBe(3);
    expect(again.at(-1)?.sequence).toBe(events.at(-1)?.sequence);
  });

  test('a record is followed across a restart of the server', async () => {
    const { record } = unwrap(await client.createBackup({ sourceId }));
    const events: RecordEvent[] = [];
    for await (const event of client.followRecord(record.id, { transport, afterSequence: 0 })) {
      events.push(event);
      if (event.__typename === 'PhaseStarted' && event.phase.name === 'TABLES') {
        const { port } = new URL(app.url);
        await app.stop();
        app = await start(port);
      }
    }
    expectWithoutGap(events);
    expect(events.at(-1)?.__typename).toBe('RecordFinished');
    expect(events.at(-1)?.record.lastSequence).toBe(events.at(-1)?.sequence);
  });

  test('strangers and unknown records are refused with their codes', async () => {
    const stranger = createClient({ url: app.url, apiKey: 'hf_wrong' });
    await expect(collect(stranger.followRecord('x', { transport }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    const { record } = unwrap(await client.createBackup({ sourceId }));
    const unknown = btoa(atob(record.id).replace(/.$/, (end) => (end === 'x' ? 'y' : 'x')));
    await expect(collect(client.followRecord(unknown, { transport }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await collect(client.followRecord(record.id));
  });

  test('the workspace tells what every record does', async () => {
    const stop = new AbortController();
    const finished = (async () => {
      for await (const event of client.followWorkspace({ transport, signal: stop.signal })) {
        if (event.__typename === 'RecordFinished') return event.record.id;
      }
      return undefined;
    })();
    // The subscription tells nothing while nothing moves, so records are made until one was seen.
    let seen: string | undefined;
    void finished.then((id) => {
      seen = id;
    });
    const made: string[] = [];
    while (seen === undefined && made.length < 20) {
      const { record } = unwrap(await client.createBackup({ sourceId }));
      made.push(record.id);
      await collect(client.followRecord(record.id));
    }
    stop.abort();
    expect(made).toContain(await finished);
  });
});

test('a bundle is downloaded in ranges, deleted, uploaded and imported again', async () => {
  const backupId = await makeBackup();
  const before = await client.backup(backupId);
  const head = await (await client.download(backupId, { range: { start: 0, end: 999 } })).bytes();
  const rest = await (await client.download(backupId, { range: { start: 1000 } })).bytes();
  const bundle = Buffer.concat([head, rest]);
  expect(String(bundle.length)).toBe(before?.sizeBytes);
  unwrap(await client.deleteBackup({ backupId }));
  expect(await client.backup(backupId)).toBeNull();
  await expect(client.download(backupId)).rejects.toMatchObject({ code: 'NOT_FOUND' });

  const uploadId = await client.upload(new Blob([bundle]).stream(), { fileName: 'größe.zip' });
  const { record } = unwrap(await client.importBackup({ uploadId, sourceId }));
  const events = await collect(client.followRecord(record.id));
  expect(events.at(-1)?.record).toMatchObject({ status: 'SUCCEEDED', error: null });
  const imported = (await client.record(record.id))?.backup;
  expect(imported?.checksum).toBe(before?.checksum);
});

test('every kind of list, verdict and refusal comes typed', async () => {
  const backupId = await makeBackup();
  expect((await client.sources({ first: 1 })).edges[0]?.node.id).toBe(sourceId);
  expect((await client.backups({ first: 1, filter: { sourceId } })).edges).toHaveLength(1);
  expect((await client.records({ first: 2, filter: { kind: ['CREATE'] } })).edges).toHaveLength(2);
  expect(unwrap(await client.pinBackup({ backupId })).backup.pinned).toBe(true);
  expect(await client.deleteBackup({ backupId })).toMatchObject({ __typename: 'InvalidInputError' });
  expect(unwrap(await client.rotateBackups({ keepLast: 1, dryRun: true })).record).toBeNull();
  expect(await client.rotateBackups({ keepLast: -1 })).toMatchObject({ code: 'INVALID_INPUT' });
  const verification = unwrap(await client.verifyBackup({ backupId })).record;
  await collect(client.followRecord(verification.id));
  expect((await client.record(verification.id))?.result).toMatchObject({ verdict: 'PASSED' });
  expect(unwrap(await client.cancelRecord({ recordId: verification.id })).record.status).toBe('SUCCEEDED');
  expect(await client.viewer()).toMatchObject({ role: 'OWNER' });
});
