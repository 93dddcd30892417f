/** Requests as no HTTP client would send them. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const TOKEN = 'a-token-that-opens-a-bundle';

/** Sends bytes as they are; resolves to all that came back. */
async function send(request: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(request);
  return text(socket);
}

const get = (target: string, headers = '') =>
  send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);

async function expectAlive(): Promise<void> {
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}

test.each([
  '//',
  '///',
  '/\\',
  'http://',
  'http://[',
  'http://a:99999/',
  'ftp://localhost/health',
  `//download/${TOKEN}`,
  `/\\download/${TOKEN}`,
  `///download/${TOKEN}`,
])('a request for %s is refused, and the server goes on', async (target) => {
  const before = server.log.length;
  expect(await get(target)).toMatch(/^HTTP\/1\.1 400 /);
  await expectAlive();
  expect(JSON.stringify(server.log.slice(before))).not.toContain(TOKEN);
});

test('a malformed address is told so in words, and logged without its text', async () => {
  const answer = await get(`//download/${TOKEN}`);
  expect(answer).toContain('"code":"INVALID_INPUT"');
  expect(answer).toContain('begins with one slash');
  expect(answer).not.toContain(TOKEN);
  await vi.waitFor(() =>
    expect(server.log.at(-1)).toMatchObject({
      path: '(malformed)',
      status: 400,
      requestId: expect.any(String),
    }),
  );
});

test.each([`/download/${TOKEN}`, `/x/..//download/${TOKEN}`, `/Download/${TOKEN}`])(
  'the token in %s is not logged',
  async (target) => {
    const before = server.log.length;
    await get(target);
    await vi.waitFor(() => expect(server.log.slice(before)).toHaveLength(1));
    expect(server.log[before]).toMatchObject({ path: '/download/:token' });
  },
);

test('an absolute address is answered as its path is', async () => {
  expect(await get('http://localhost/health')).toMatch(/^HTTP\/1\.1 200 /);
});

test.each(['//', 'http://[', '/'])('an upgrade on %s is refused, and the server goes on', async (target) => {
  const upgrade =
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  const answer = await send(
    `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n${upgrade}\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  await expectAlive();
});

test.each([
  'nonsense\r\n\r\n',
  'GET /a b HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
])('what is no HTTP (%j) is refused, and the server goes on', async (request) => {
  expect(await send(request)).toMatch(/^HTTP\/1\.1 (400|505) /);
  await expectAlive();
});
