import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isAllowedHost } from '../../src/server/allowed-host.ts';
import { createAuthenticate } from '../../src/server/authenticate.ts';
import { addBackup, addRecord, addSource, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const VIEWER = '{ viewer { name role } }';

/** One query over WebSocket; rejects with the close event when the server refuses the connection. */
async function askBySocket(connectionParams: Record<string, unknown>): Promise<unknown> {
  const client = createClient({
    url: server.url.replace('http', 'ws').concat('/graphql'),
    webSocketImpl: WebSocket,
    connectionParams,
    shouldRetry: () => false,
  });
  try {
    for await (const result of client.iterate({ query: VIEWER })) return result.data;
    return undefined;
  } finally {
    await client.dispose();
  }
}

describe('without credentials', () => {
  test.each([
    ['a query', VIEWER],
    ['introspection', '{ __schema { types { name } } }'],
    ['a mutation', 'mutation { createBackup(input: { sourceId: "x" }) { __typename } }'],
  ])('%s is refused with 401 and what to do', async (_name, query) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    const { errors, data } = (await response.json()) as { errors: object[]; data?: unknown };
    expect(data).toBeUndefined();
    expect(errors).toEqual([
      {
        message: 'No valid credentials came with the request.',
        extensions: { code: 'UNAUTHENTICATED', hint: expect.stringContaining('Authorization: Bearer') },
      },
    ]);
  });

  test('an upload is refused', async () => {
    const response = await fetch(`${server.url}/upload`, { method: 'POST', body: 'bytes' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  });

  test('a subscription over SSE is refused', async () => {
    const query = encodeURIComponent('subscription { workspaceEvents { sequence } }');
    const response = await fetch(`${server.url}/graphql?query=${query}`, {
      headers: { accept: 'text/event-stream' },
    });
    expect(response.status).toBe(401);
  });

  test.each(['/', '/metrics', '/graphql/x', '/catalog.db'])('%s has nothing to tell', async (path) => {
    const response = await fetch(server.url + path);
    expect(response.status).toBe(404);
  });

  test('health is told, and readiness without details', async () => {
    const health = await fetch(`${server.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    const ready = await fetch(`${server.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', checks: { catalog: 'ok', storage: 'ok' } },
    ]);
    server.failing.add('storage');
    const unready = await fetch(`${server.url}/ready`);
    server.failing.clear();
    expect([unready.status, await unready.json()]).toEqual([
      503,
      { status: 'unavailable', checks: { catalog: 'ok', storage: 'failed' } },
    ]);
  });
});

describe('with an API key', () => {
  test('HTTP and WebSocket know the same member', async () => {
    const member = { viewer: { name: 'operator', role: 'OPERATOR' } };
    expect((await server.ask(VIEWER, {}, server.keys.OPERATOR)).data).toEqual(member);
    expect(await askBySocket({ authorization: `Bearer ${server.keys.OPERATOR}` })).toEqual(member);
  });

  test.each([
    ['no key', {}],
    ['a wrong key', { authorization: `Bearer hf_${'x'.repeat(43)}` }],
    ['another scheme', { authorization: 'Basic b3duZXI6b3duZXI=' }],
  ])('a WebSocket with %s is closed with 4401, which clients do not retry', async (_name, params) => {
    await expect(askBySocket(params)).rejects.toMatchObject({ code: 4401, reason: 'UNAUTHENTICATED' });
  });

  test('a revoked key is refused', async () => {
    const again = await startTestServer();
    try {
      await again.opened.prisma.apiKey.updateMany({ data: { revokedAt: new Date() } });
      expect((await again.ask(VIEWER)).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    } finally {
      await again.stop();
    }
  });
});

describe('roles', () => {
  const CREATE = `mutation ($id: ID!) { createBackup(input: { sourceId: $id }) {
    __typename ... on UserError { code message hint } } }`;
  const DELETE = `mutation ($id: ID!) { deleteBackup(input: { backupId: $id }) {
    __typename ... on UserError { code } } }`;

  test('a viewer may look and may not back up', async () => {
    const source = await addSource(server, 'roles-1');
    const look = await server.ask(`{ source(id: "${source.globalId}") { name } }`, {}, server.keys.VIEWER);
    expect(look.data).toEqual({ source: { name: 'roles-1' } });
    const { data } = await server.ask(CREATE, { id: source.globalId }, server.keys.VIEWER);
    expect(data).toEqual({
      createBackup: {
        __typename: 'ForbiddenError',
        code: 'FORBIDDEN',
        message: 'The role VIEWER does not allow createBackup.',
        hint: expect.stringContaining('administrator'),
      },
    });
    expect(server.engine.calls.filter(({ verb }) => verb === 'createBackup')).toEqual([]);
  });

  test('an operator may back up and may not delete', async () => {
    const source = await addSource(server, 'roles-2');
    const backup = await addBackup(server);
    const created = await server.ask(CREATE, { id: source.globalId }, server.keys.OPERATOR);
    expect(created.data).toEqual({ createBackup: { __typename: 'CreateBackupPayload' } });
    const refused = await server.ask(DELETE, { id: backup.globalId }, server.keys.OPERATOR);
    expect(refused.data).toEqual({ deleteBackup: { __typename: 'ForbiddenError', code: 'FORBIDDEN' } });
  });

  test('only an administrator gets a download link', async () => {
    const backup = await addBackup(server);
    const query = `{ backup(id: "${backup.globalId}") { name downloadUrl } }`;
    const refused = await server.ask(query, {}, server.keys.OPERATOR);
    expect(refused.data).toEqual({ backup: { name: backup.name, downloadUrl: null } });
    expect(refused.errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
    const { data } = await server.ask(query, {}, server.keys.ADMIN);
    expect(data).toMatchObject({ backup: { downloadUrl: expect.stringContaining('/download/') } });
  });

  test('an operator may not upload', async () => {
    const response = await fetch(`${server.url}/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.keys.OPERATOR}` },
      body: 'bytes',
    });
    expect([response.status, await response.json()]).toEqual([
      403,
      { error: { code: 'FORBIDDEN', message: expect.any(String), hint: 'Uploads need ADMIN.' } },
    ]);
  });
});

describe('another workspace', () => {
  test('what belongs to it is not there, by any door', async () => {
    const source = await addSource(server, 'theirs', server.otherWorkspaceId);
    const backup = await addBackup(server, { workspaceId: server.otherWorkspaceId });
    const record = await addRecord(server, { workspaceId: server.otherWorkspaceId });
    const { data, errors } = await server.ask(
      `query ($s: ID!, $b: ID!, $r: ID!) {
        source(id: $s) { name } backup(id: $b) { name } record(id: $r) { kind }
        s: node(id: $s) { id } b: node(id: $b) { id } r: node(id: $r) { id }
        backups(first: 100) { edges { node { id } } }
        ofSource: backups(filter: { sourceId: $s }) { totalCount }
      }`,
      { s: source.globalId, b: backup.globalId, r: record.globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      source: null,
      backup: null,
      record: null,
      s: null,
      b: null,
      r: null,
      ofSource: { totalCount: 0 },
    });
    expect(JSON.stringify(data)).not.toContain(backup.globalId);
    const verified = await server.ask(
      'mutation ($id: ID!) { verifyBackup(input: { backupId: $id }) { ... on UserError { code } } }',
      { id: backup.globalId },
    );
    expect(verified.data).toEqual({ verifyBackup: { code: 'NOT_FOUND' } });
    const followed = await server.ask(
      'subscription ($id: ID!) { recordProgress(recordId: $id) { sequence } }',
      {
        id: record.globalId,
      },
    );
    expect(followed.errors?.[0]?.extensions?.code).toBe('NOT_FOUND');
    const own = await server.ask(
      'query ($id: ID!) { backup(id: $id) { name } }',
      { id: backup.globalId },
      server.otherKey,
    );
    expect(own.data).toEqual({ backup: { name: backup.name } });
  });
});

describe('guessing keys', () => {
  const good = { workspaceId: 'w', memberName: 'm', role: 'OWNER', keyId: 'k' } as const;

  test('is refused unseen after twenty wrong ones, until a minute has passed', async () => {
    let now = 0;
    let asked = 0;
    const authenticate = createAuthenticate(
      {
        authenticateApiKey: async (key) => {
          asked += 1;
          return key === 'right' || key === 'known' ? good : undefined;
        },
      },
      () => now,
    );
    await authenticate('Bearer known', '10.0.0.1');
    for (let index = 0; index < 20; index += 1) {
      await expect(authenticate(`Bearer ${index}`, '10.0.0.1')).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
      });
    }
    asked = 0;
    await expect(authenticate('Bearer right', '10.0.0.1')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(asked).toBe(0);
    await expect(authenticate('Bearer known', '10.0.0.1')).resolves.toMatchObject({ name: 'm' });
    await expect(authenticate('Bearer right', '10.0.0.2')).resolves.toMatchObject({ name: 'm' });
    now += 60_000;
    await expect(authenticate('Bearer right', '10.0.0.1')).resolves.toMatchObject({ name: 'm' });
  });
});

describe('the Host header', () => {
  test.each([
    ['127.0.0.1:4000', true],
    ['[::1]:4000', true],
    ['localhost:4000', true],
    ['backup.example:443', true],
    ['rebound.attacker.example', false],
    ['127.0.0.1.attacker.example', false],
    ['a b', false],
    [undefined, false],
  ])('%s: answered %s', (host, allowed) => {
    expect(isAllowedHost(host, 'https://backup.example')).toBe(allowed);
  });
});
