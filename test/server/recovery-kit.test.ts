import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { signKitLink, signLink } from '../../src/server/signed-link.ts';
import { MemoryFile } from '../support/fake-engine.ts';
import { startTestServer, type TestServer } from './support/test-server.ts';

const bytes = randomBytes(100_000);
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const MUTATION = `mutation ($input: CreateRecoveryKitInput!) {
  createRecoveryKit(input: $input) {
    __typename
    ... on CreateRecoveryKitPayload { downloadUrl expiresAt fileName sizeBytes sha256 }
    ... on UserError { code message }
  }
}`;
const variables = { input: { passphrase: 'correct horse battery staple' } };

/** What an owner is answered. */
async function kit(): Promise<{ downloadUrl: string }> {
  const { data } = await server.ask(MUTATION, variables);
  // An answer has the shape of the query above it; the server's type knows only that it is JSON.
  return (data as unknown as { createRecoveryKit: { downloadUrl: string } }).createRecoveryKit;
}

test('a kit comes as a link to a file that nobody should show, and its bytes without a key', async () => {
  const file = new MemoryFile(bytes);
  server.engine.bundle = file;
  const made = await kit();
  expect(made).toMatchObject({ fileName: 'recovery-kit.age', sizeBytes: 3, sha256: '0c'.repeat(32) });
  const response = await fetch(made.downloadUrl);
  expect(response.status).toBe(200);
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'cache-control': 'no-store',
    'content-disposition': 'attachment; filename="recovery-kit.age"',
    'content-length': '100000',
    'content-type': 'application/octet-stream',
  });
  expect(file.closed).toBe(true);
  const head = await fetch(made.downloadUrl, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '100000', '']);
  expect((await fetch(made.downloadUrl, { method: 'POST' })).status).toBe(405);
});

test('its passphrase and its token are not logged', async () => {
  const { downloadUrl } = await kit();
  server.engine.bundle = new MemoryFile(bytes);
  await (await fetch(downloadUrl)).arrayBuffer();
  const logged = JSON.stringify(server.log);
  expect(logged).toContain('/download/:token');
  expect(logged).not.toContain(downloadUrl.split('/').at(-1));
  expect(logged).not.toContain(variables.input.passphrase);
});

test.each(['ADMIN', 'OPERATOR', 'VIEWER'] as const)('the role %s gets none', async (role) => {
  const { data } = await server.ask(MUTATION, variables, server.keys[role]);
  expect(data).toEqual({ createRecoveryKit: expect.objectContaining({ code: 'FORBIDDEN' }) });
});

test('links of another kind, of another server, changed or expired ones open nothing', async () => {
  const { downloadUrl } = await kit();
  const calls = server.engine.calls.length;
  const token = downloadUrl.split('/').at(-1) ?? '';
  const target = { workspaceId: server.workspaceId, kitId: 'kit' };
  const later = new Date(Date.now() + 60_000);
  const key = randomBytes(32);
  for (const wrong of [
    `/download/${token}`,
    `/download/kit/${token.slice(0, -2)}`,
    `/download/kit/${signKitLink(key, target, later)}`,
    `/download/kit/${signLink(key, { ...target, backupId: 'kit' }, later)}`,
    '/download/kit/',
  ]) {
    const response = await fetch(`${server.url}${wrong}`);
    expect([wrong, response.status]).toEqual([wrong, 403]);
  }
  server.engine.createRecoveryKit = async () => {
    const expiresAt = new Date(Date.now() - 1);
    return { id: 'kit', fileName: 'x', sizeBytes: 3, sha256: '', expiresAt };
  };
  expect((await fetch((await kit()).downloadUrl)).status).toBe(403);
  const since = server.engine.calls.slice(calls).map(({ verb }) => verb);
  expect(since).not.toContain('openRecoveryKit');
  expect(since).not.toContain('openBackup');
});

test('a kit that is not kept any more is not found', async () => {
  server.engine.createRecoveryKit = async () => {
    const expiresAt = new Date(Date.now() + 60_000);
    return { id: 'kit', fileName: 'x', sizeBytes: 3, sha256: '', expiresAt };
  };
  server.engine.openRecoveryKit = async () => {
    throw new HoldfastError('NOT_FOUND', 'This recovery kit is not kept any more.');
  };
  expect((await fetch((await kit()).downloadUrl)).status).toBe(404);
});
