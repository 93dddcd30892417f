import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type CreateBackupMutation,
  createClient,
  type HoldfastClient,
  HoldfastRequestError,
  type Role,
  unwrap,
  ViewerDocument,
} from '../../client/sdk/index.ts';
import { API_KEY, startFakeServer, type Transfers } from './support/fake-server.ts';
import { RecordLog } from './support/record-log.ts';

const transfers: Transfers = { uploads: [], bundle: Buffer.from('0123456789') };
let server: Awaited<ReturnType<typeof startFakeServer>>;
let client: HoldfastClient;

beforeAll(async () => {
  server = await startFakeServer(new Map([['record', new RecordLog('record')]]), { transfers });
  client = createClient({ url: server.url, apiKey: API_KEY });
});
afterAll(() => server.stop());

describe('results', () => {
  test('a payload is unwrapped, typed without the refusals', async () => {
    const result = await client.createBackup({ sourceId: 'source' });
    const payload = unwrap(result);
    expectTypeOf(payload).toEqualTypeOf<
      Extract<CreateBackupMutation['createBackup'], { __typename: 'CreateBackupPayload' }>
    >();
    expect(payload.record).toMatchObject({ id: 'record', status: 'RUNNING' });
  });

  test('a refusal is returned, and thrown by unwrap with code, message and hint', async () => {
    const result = await client.createBackup({ sourceId: 'other' });
    expect(result).toEqual({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      message: 'The source is missing.',
      hint: 'Create it first.',
    });
    expect(() => unwrap(result)).toThrow(
      expect.objectContaining({
        name: 'HoldfastRequestError',
        code: 'NOT_FOUND',
        message: 'The source is missing.',
        hint: 'Create it first.',
      }),
    );
  });

  test('a refused input names its field', async () => {
    const result = await client.createSource({ name: '' });
    expect(() => unwrap(result)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: 'name' }));
  });

  test('an operation of one’s own is executed and typed', async () => {
    const { viewer } = await client.request(ViewerDocument);
    expectTypeOf(viewer.role).toEqualTypeOf<Role>();
    expect(viewer).toEqual({ name: 'owner', role: 'OWNER' });
  });
});

describe('requests that do not work', () => {
  const failure = (request: Promise<unknown>): Promise<unknown> =>
    request.then(
      () => undefined,
      (error: unknown) => error,
    );

  test('a wrong key is UNAUTHENTICATED', async () => {
    const error = await failure(createClient({ url: server.url, apiKey: 'hf_wrong' }).viewer());
    expect(error).toBeInstanceOf(HoldfastRequestError);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', hint: 'Send an API key.' });
  });

  test('a fault of the server is INTERNAL, with its hint', async () => {
    expect(await failure(client.settings())).toMatchObject({ code: 'INTERNAL', hint: 'Look into the log.' });
  });

  test('no server is CONNECTION', async () => {
    expect(await failure(createClient({ url: 'http://127.0.0.1:9' }).viewer())).toMatchObject({
      code: 'CONNECTION',
      message: 'The server at http://127.0.0.1:9 does not answer.',
    });
  });

  test('another kind of server is PROTOCOL', async () => {
    const elsewhere = createClient({
      url: 'http://example.invalid/base',
      fetch: async () => new Response('<html>', { status: 200 }),
    });
    expect(await failure(elsewhere.viewer())).toMatchObject({ code: 'PROTOCOL' });
  });

  test('an aborted request throws the reason', async () => {
    expect(await failure(client.viewer({ signal: AbortSignal.abort(new Error('enough')) }))).toMatchObject({
      message: 'enough',
    });
  });

  test('the key stays out of errors', async () => {
    const error = await failure(createClient({ url: 'http://127.0.0.1:9', apiKey: 'hf_secret' }).viewer());
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('hf_secret');
  });
});

describe('transfers', () => {
  const content = new TextEncoder().encode('bundle');

  test.each([
    ['bytes', content],
    ['a blob', new Blob([content])],
    ['a stream', new Blob([content]).stream()],
  ])('uploads %s under a name', async (_kind, body) => {
    expect(await client.upload(body, { fileName: 'größe 1.zip' })).toBe('upload-1');
    expect(transfers.uploads.at(-1)).toEqual({ fileName: 'größe 1.zip', content: Buffer.from('bundle') });
  });

  test('a refused upload is a typed error', async () => {
    const stranger = createClient({ url: server.url });
    await expect(stranger.upload(content, { fileName: 'a.zip' })).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      hint: 'Send one.',
    });
  });

  test('downloads the whole and ranges of it', async () => {
    const text = async (range?: { start: number; end?: number }) =>
      (await client.download('backup', range === undefined ? {} : { range })).text();
    expect(await text()).toBe('0123456789');
    expect(await text({ start: 7 })).toBe('789');
    expect(await text({ start: 2, end: 4 })).toBe('234');
  });

  test('an unknown backup is NOT_FOUND', async () => {
    await expect(client.download('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a signed link elsewhere does not get the API key', async () => {
    const sent: { readonly url: string; readonly authorization: string | null }[] = [];
    const watched = createClient({
      url: 'http://one.invalid',
      apiKey: API_KEY,
      fetch: async (input, init) => {
        const url = String(input);
        sent.push({ url, authorization: new Headers(init?.headers).get('authorization') });
        const backup = {
          name: 'a',
          sizeBytes: '1',
          missing: false,
          downloadUrl: 'http://two.invalid/download/t',
        };
        return url.endsWith('/graphql') ? Response.json({ data: { backup } }) : new Response('x');
      },
    });
    await watched.download('backup');
    expect(sent).toEqual([
      { url: 'http://one.invalid/graphql', authorization: `Bearer ${API_KEY}` },
      { url: 'http://two.invalid/download/t', authorization: null },
    ]);
  });
});
