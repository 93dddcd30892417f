import { request as httpRequest } from 'node:http';
import { parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { graphiqlOptions } from '../../src/server/graphiql.ts';
import { addSource, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

function post(body: string, headers: Record<string, string> = {}, method = 'POST'): Promise<Response> {
  return fetch(`${server.url}/graphql`, {
    method,
    headers: { authorization: `Bearer ${server.keys.OWNER}`, 'content-type': 'application/json', ...headers },
    ...(method === 'POST' && { body }),
  });
}

describe('an operation', () => {
  test('that is too deep is refused with the limit', async () => {
    const { data, errors } = await server.ask(
      `{ records { edges { node ${'{ parent '.repeat(13)}{ id }${' }'.repeat(13)} } } }`,
    );
    expect(data).toBeUndefined();
    expect(errors?.[0]).toMatchObject({
      message: 'The operation is 17 levels deep; the limit is 15.',
      extensions: { code: 'INVALID_INPUT' },
    });
  });

  test('that is too complex is refused with the limit, by the page size it asks for', async () => {
    const nested = (first: number) =>
      `query ($n: Int) { sources(first: ${first}) { edges { node { records(first: $n) { edges { node {
        phases { name progress { rows bytes } } } } } } } } }`;
    expect((await server.ask(nested(2), { n: 2 })).errors).toBeUndefined();
    const { errors } = await server.ask(nested(100), { n: 100 });
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(/^The operation has a complexity of \d+; the limit is 20000\.$/),
      extensions: { code: 'INVALID_INPUT', hint: expect.stringContaining('smaller pages') },
    });
  });

  test('is measured alone, not with others of its document', async () => {
    const document = `query Small { viewer { name } }
      query Large { sources(first: 100) { edges { node { backups(first: 100) { edges { node { id name } } } } } } }`;
    const ask = async (operationName: string) =>
      (await (await post(JSON.stringify({ query: document, operationName }))).json()) as { errors?: unknown };
    expect((await ask('Small')).errors).toBeUndefined();
    expect((await ask('Large')).errors).toBeDefined();
  });

  test('of very many tokens is refused before it is understood', async () => {
    const { errors } = await server.ask(`{ viewer { ${'name '.repeat(6_000)} } }`);
    expect(errors?.[0]?.message).toContain('5000');
  });

  test('of more than a megabyte is refused', async () => {
    const response = await post(
      JSON.stringify({ query: '{ viewer { name } }', variables: { x: 'x'.repeat(1_100_000) } }),
    );
    expect(response.status).toBe(413);
  });

  test('by GET may read and may not change', async () => {
    const get = (query: string) =>
      fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`, {
        headers: { authorization: `Bearer ${server.keys.OWNER}` },
      });
    const read = await get('{ viewer { name } }');
    expect(await read.json()).toEqual({ data: { viewer: { name: 'owner' } } });
    const change = await get('mutation { deleteSource(input: { sourceId: "x" }) { __typename } }');
    expect(change.status).toBe(405);
    expect(server.engine.calls).toEqual([]);
  });

  test('can read the schema', async () => {
    const { data } = await server.ask('{ __type(name: "Backup") { description fields { name } } }');
    expect(data).toMatchObject({ __type: { description: expect.stringContaining('immutable') } });
  });

  test('with a wrong variable is told which', async () => {
    const { errors } = await server.ask('query ($n: Int) { sources(first: $n) { totalCount } }', {
      n: 'many',
    });
    expect(errors?.[0]?.message).toContain('$n');
    const date = await server.ask('query ($f: BackupFilter) { backups(filter: $f) { totalCount } }', {
      f: { createdAfter: 'yesterday' },
    });
    expect(date.errors?.[0]?.message).toMatch(
      /^Variable "\$f" got an invalid value at "f.createdAfter": .*ISO 8601/,
    );
    expect(JSON.stringify(date.errors)).not.toContain('yesterday');
  });
});

describe('a request', () => {
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
  ])('of type %s, which a foreign page could send, is refused', async (type) => {
    const response = await post('{"query":"{ viewer { name } }"}', { 'content-type': type });
    expect([response.status, await response.json()]).toMatchObject([
      415,
      { errors: [{ extensions: { code: 'INVALID_INPUT' } }] },
    ]);
  });

  test('from another site is not allowed to read the answer', async () => {
    const response = await post('{"query":"{ viewer { name } }"}', { origin: 'https://attacker.example' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await post('', { origin: 'https://attacker.example' }, 'OPTIONS');
    expect(preflight.status).toBe(405);
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('to a name that is not ours is refused', async () => {
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${server.url}/health`, { headers: { host: 'rebound.attacker.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(421);
  });

  test('is answered with headers that keep browsers careful', async () => {
    const { headers } = await fetch(`${server.url}/health`);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
  });

  test('by a method a route does not have is told which it has', async () => {
    const response = await fetch(`${server.url}/health`, { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const put = await post('', {}, 'DELETE');
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });

  test('keeps its own id when that is a sane one', async () => {
    const given = await fetch(`${server.url}/health`, { headers: { 'x-request-id': 'abc-1' } });
    expect(given.headers.get('x-request-id')).toBe('abc-1');
    const odd = await fetch(`${server.url}/health`, { headers: { 'x-request-id': 'a b "c"' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('is logged with its id, without the key and without what was asked', async () => {
    await addSource(server, 'logged');
    await post(JSON.stringify({ query: '{ viewer { name } }', variables: { secret: 'hunter2' } }), {
      'x-request-id': 'logged-1',
    });
    await fetch(
      `${server.url}/graphql?query=%7Bviewer%7Bname%7D%7D&variables=%7B%22x%22%3A%22hunter3%22%7D`,
      {
        headers: { authorization: `Bearer ${server.keys.OWNER}` },
      },
    );
    await vi.waitFor(
      () =>
        expect(server.log.find((line) => line['requestId'] === 'logged-1')).toMatchObject({
          method: 'POST',
          path: '/graphql',
          status: 200,
          member: 'owner',
          msg: 'request',
        }),
      { interval: 5 },
    );
    const log = JSON.stringify(server.log);
    for (const secret of [server.keys.OWNER, 'hunter2', 'hunter3']) expect(log).not.toContain(secret);
  });
});

describe('GraphiQL', () => {
  const page = (url: string) => fetch(`${url}/graphql`, { headers: { accept: 'text/html' } });

  test('is not there outside of development', async () => {
    expect((await page(server.url)).status).toBe(401);
  });

  test('comes with example operations that the schema accepts, in development', async () => {
    const development = await startTestServer({ development: true });
    try {
      const response = await page(development.url);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toContain('text/html');
      expect(await response.text()).toContain('recordProgress');
      const examples = graphiqlOptions.defaultTabs?.map(({ query }) => query ?? '') ?? [];
      expect(examples.length).toBeGreaterThan(3);
      for (const example of examples) expect(validate(schema, parse(example))).toEqual([]);
      expect((await development.ask('{ viewer { name } }', {}, null)).errors?.[0]?.extensions?.code).toBe(
        'UNAUTHENTICATED',
      );
    } finally {
      await development.stop();
    }
  });
});

test('a port that is taken is a clear refusal', async () => {
  const { port } = new URL(server.url);
  const { createServer } = await import('../../src/server/http.ts');
  const { opened, engine, hub } = server;
  const second = createServer({
    config: { version: '0', publicUrl: null, development: false, uploadLimitBytes: 1, roots: [] },
    engine,
    prisma: opened.prisma,
    catalog: opened.catalog,
    identity: { authenticateApiKey: async () => undefined },
    events: hub,
    log: (await import('pino')).pino({ level: 'silent' }),
    linkKey: Buffer.alloc(32),
    checks: {},
  });
  await expect(second.listen('127.0.0.1', Number(port))).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: `The server cannot listen on 127.0.0.1, port ${port}.`,
  });
});
