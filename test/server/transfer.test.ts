import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { findId } from '../../src/schema/global-id.ts';
import { parseRange } from '../../src/server/byte-range.ts';
import { openLink, signLink } from '../../src/server/signed-link.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';
import { MemoryFile } from '../support/fake-engine.ts';
import { addBackup, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

async function linkTo(globalId: string): Promise<string> {
  const { data } = await server.ask(`{ backup(id: "${globalId}") { downloadUrl } }`);
  // An answer has the shape of the query above it; the server's type knows only that it is JSON.
  return (data as unknown as { backup: { downloadUrl: string } }).backup.downloadUrl;
}

describe('a download', () => {
  const bytes = randomBytes(100_000);
  let file: MemoryFile;
  let url: string;
  const etag = `"${'ab'.repeat(32)}"`;

  const open = () => {
    file = new MemoryFile(bytes);
    server.engine.bundle = file;
  };
  beforeAll(async () => {
    url = await linkTo((await addBackup(server, { name: 'Grüße "1".zip' })).globalId);
    open();
  });
  afterEach(() => {
    expect(file.closed).toBe(true);
    open();
  });

  test('brings the whole bundle, safe to keep as a file, without a key', async () => {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      'content-disposition': `attachment; filename="Gr__e _1_.zip"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%221%22.zip`,
      'content-length': '100000',
      'content-type': 'application/zip',
      etag,
      'x-content-type-options': 'nosniff',
    });
  });

  test.each([
    ['bytes=0-99', 0, 100],
    ['bytes=99990-', 99_990, 100_000],
    ['bytes=-10', 99_990, 100_000],
    ['bytes=99990-200000', 99_990, 100_000],
  ])('of %s brings just that', async (range, start, end) => {
    const response = await fetch(url, { headers: { range, 'if-range': etag } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/100000`);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(start, end))).toBe(true);
  });

  test('begins anew when the bundle is not the one it had begun with', async () => {
    const response = await fetch(url, { headers: { range: 'bytes=0-9', 'if-range': '"another"' } });
    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBe(100_000);
  });

  test('of a range outside is refused with the size', async () => {
    const response = await fetch(url, { headers: { range: 'bytes=100000-' } });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */100000']);
  });

  test('can be asked about without its bytes', async () => {
    const response = await fetch(url, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '100000']);
    expect((await response.arrayBuffer()).byteLength).toBe(0);
  });

  test('that the caller breaks off lets the file go', async () => {
    const endless: RandomAccess = {
      sizeBytes: 1_000_000_000,
      read: () => Readable.from(Array.from({ length: 10_000 }, () => Buffer.alloc(100_000))),
      close: () => file.close(),
    };
    server.engine.bundle = endless;
    const abort = new AbortController();
    const response = await fetch(url, { signal: abort.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    abort.abort();
    await vi.waitFor(() => expect(file.closed).toBe(true), { interval: 5 });
  });

  test('that fails midway is broken off, not ended as if it were whole', async () => {
    server.engine.bundle = {
      sizeBytes: 1_000,
      read: () =>
        Readable.from(
          (async function* () {
            yield Buffer.alloc(10);
            throw new Error('the disk is gone');
          })(),
        ),
      close: () => file.close(),
    };
    await expect(fetch(url).then((response) => response.arrayBuffer())).rejects.toThrow();
  });
});

describe('a download link', () => {
  const key = randomBytes(32);
  const target = { workspaceId: 'w', backupId: 'b' };
  const now = new Date('2026-01-01T00:00:00Z');
  const later = new Date(now.getTime() + 1000);

  test('opens what it was made for until it expires', () => {
    const token = signLink(key, target, later);
    expect(openLink(key, token, now)).toEqual(target);
    expect(() => openLink(key, token, later)).toThrow('expired');
  });

  test('of another key, changed, or made up opens nothing', () => {
    const token = signLink(key, target, later);
    const [payload = '', signature = ''] = token.split('.');
    const forged = Buffer.from(JSON.stringify(['w', 'other', later.getTime() + 1e9])).toString('base64url');
    for (const wrong of [
      signLink(randomBytes(32), target, later),
      `${forged}.${signature}`,
      `${payload}.`,
      `${payload}.${signature}.x`,
      payload,
      '',
      'x.y',
    ]) {
      expect(() => openLink(key, wrong, now), wrong).toThrow(HoldfastError);
    }
  });

  test('that is wrong answers 403 and what to do', async () => {
    const response = await fetch(`${server.url}/download/made.up`);
    expect([response.status, await response.json()]).toEqual([
      403,
      {
        error: {
          code: 'FORBIDDEN',
          message: expect.any(String),
          hint: expect.stringContaining('downloadUrl'),
        },
      },
    ]);
  });

  test('to a backup that is gone answers 404', async () => {
    const backup = await addBackup(server);
    const link = await linkTo(backup.globalId);
    await server.opened.catalog.backups.delete(backup.id);
    const response = await fetch(link);
    expect([response.status, await response.json()]).toMatchObject([404, { error: { code: 'NOT_FOUND' } }]);
  });

  test('never stands in the log', async () => {
    const link = await linkTo((await addBackup(server)).globalId);
    await fetch(link).then((response) => response.arrayBuffer());
    await vi.waitFor(() => expect(JSON.stringify(server.log)).toContain('/download/:token'), { interval: 5 });
    const token = link.split('/download/')[1] ?? 'none';
    expect(JSON.stringify(server.log)).not.toContain(token);
    expect(JSON.stringify(server.log)).not.toContain(server.keys.OWNER);
  });
});

test.each([
  ['bytes=0-0', 10, { start: 0, end: 1 }],
  ['bytes = 2 - 4', 10, { start: 2, end: 5 }],
  ['bytes=-0', 10, 'UNSATISFIABLE'],
  ['bytes=0-', 0, 'UNSATISFIABLE'],
  ['bytes=5-2', 10, undefined],
  ['bytes=0-1,3-4', 10, undefined],
  ['items=0-1', 10, undefined],
  ['bytes=-', 10, undefined],
  [undefined, 10, undefined],
])('the range %s of %d bytes', (header, size, range) => {
  expect(parseRange(header, size)).toEqual(range);
});

describe('an upload', () => {
  const post = (body: BodyInit | null, headers: Record<string, string> = {}, query = '') =>
    fetch(`${server.url}/upload${query}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.keys.ADMIN}`,
        'content-type': 'application/zip',
        ...headers,
      },
      body,
      ...(body instanceof ReadableStream && { duplex: 'half' }),
      // lib.dom does not know `duplex`, which Node asks for with a stream.
    } as RequestInit);

  test('arrives byte for byte under its name, and can be imported', async () => {
    const bytes = randomBytes(300_000);
    const response = await post(bytes, { 'x-filename': encodeURIComponent('Sicherung März.zip') });
    expect(response.status).toBe(201);
    const answer = (await response.json()) as { uploadId: string };
    expect(answer).toEqual({
      uploadId: expect.any(String),
      fileName: 'Sicherung März.zip',
      sizeBytes: '300000',
      checksum: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(server.engine.uploaded?.equals(bytes)).toBe(true);
    expect(findId('Upload', answer.uploadId)).toBeDefined();
    const { data } = await server.ask(
      'mutation ($id: ID!) { importBackup(input: { uploadId: $id }) { ... on ImportBackupPayload { record { kind } } } }',
      { id: answer.uploadId },
    );
    expect(data).toEqual({ importBackup: { record: { kind: 'IMPORT' } } });
  });

  test('that announces too much is refused before it is read', async () => {
    const before = server.engine.calls.length;
    const response = await post(Buffer.alloc(1_000_001));
    expect([response.status, await response.json()]).toMatchObject([
      413,
      { error: { code: 'INVALID_INPUT', message: 'The upload is larger than the limit of 1000000 bytes.' } },
    ]);
    expect(server.engine.calls.length).toBe(before);
  });

  test('that turns out too large without announcing it is refused while it is read', async () => {
    const broken = server.engine.brokenUploads;
    const chunks = Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(100_000)));
    const response = await post(Readable.toWeb(chunks) as ReadableStream);
    expect([response.status, await response.json()]).toMatchObject([
      413,
      { error: { code: 'INVALID_INPUT' } },
    ]);
    expect(server.engine.brokenUploads).toBe(broken + 1);
  });

  test('that breaks off midway reaches the engine as a failure', async () => {
    const broken = server.engine.brokenUploads;
    const calls = server.engine.calls.length;
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${server.keys.ADMIN}\r\nContent-Length: 1000\r\n\r\nonly this`,
    );
    await vi.waitFor(() => expect(server.engine.calls.length).toBe(calls + 1), { interval: 5 });
    socket.destroy();
    await vi.waitFor(() => expect(server.engine.brokenUploads).toBe(broken + 1), { interval: 5 });
  });

  test.each([
    ['..%2F..%2Fetc%2Fpasswd', 400],
    ['..', 400],
    ['%00', 400],
    ['%zz', 400],
    ['x'.repeat(256), 400],
  ])('named %s is refused', async (name, status) => {
    const response = await post('bytes', { 'x-filename': name });
    expect([response.status, await response.json()]).toMatchObject([
      status,
      { error: { code: 'INVALID_INPUT' } },
    ]);
  });

  test('as a form is refused', async () => {
    const response = await post('--x', { 'content-type': 'multipart/form-data; boundary=x' });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { code: 'INVALID_INPUT' } },
    ]);
  });

  test('that storage has no room for says so', async () => {
    const receive = server.engine.receiveUpload;
    server.engine.receiveUpload = async () => {
      throw new HoldfastError('STORAGE_FULL', 'No room is left.', { hint: 'Make room.' });
    };
    const response = await post('bytes');
    server.engine.receiveUpload = receive;
    expect([response.status, await response.json()]).toEqual([
      507,
      { error: { code: 'STORAGE_FULL', message: 'No room is left.', hint: 'Make room.' } },
    ]);
  });
});
