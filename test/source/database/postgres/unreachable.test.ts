import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { changedUrl, drain, requestIds } from '../../../support/postgres-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';

const never = new AbortController().signal;

describe('a PostgreSQL source that cannot be reached or read', () => {
  let database: TestDatabase;
  let source: Database;
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY)',
      'INSERT INTO item SELECT generate_series(1, 1000)',
    );
  });
  afterAll(() => database.dispose());

  it.each([
    [
      'a wrong password',
      (url: URL) => Object.assign(url, { password: 'hunter2-wrong' }),
      'refused the password',
    ],
    ['an unknown user', (url: URL) => Object.assign(url, { username: 'nobody_here' }), 'nobody_here'],
    [
      'a database that is not there',
      (url: URL) => Object.assign(url, { pathname: '/not_there' }),
      'not_there',
    ],
    ['a port where nobody listens', (url: URL) => Object.assign(url, { port: '1' }), 'listens'],
    ['an unknown host', (url: URL) => Object.assign(url, { hostname: 'no-such-host.invalid' }), 'host name'],
    ['TLS the server does not offer', (url: URL) => url.searchParams.set('sslmode', 'require'), 'TLS'],
  ])('is told with %s, without password and address', async (_, change, told) => {
    const url = changedUrl(database.url, change);
    const error: unknown = await openPostgres(url)
      .describe(never)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining(told),
      hint: expect.any(String),
    });
    expect(JSON.stringify([error, String(error)])).not.toMatch(/hunter2|owner-secret|postgresql:/);
  });

  it.each([
    'not a url',
    'mysql://a@b/c',
    'postgresql://host/db',
    'postgresql://u:owner-secret@h/d?sslmode=maybe',
  ])('is refused before anything is tried when the address is %s', (url) => {
    expect(() => openPostgres(url)).toThrow(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        message: expect.not.stringContaining('owner-secret'),
      }),
    );
  });

  it('does not take a password from the environment of the server', async () => {
    vi.stubEnv('PGPASSWORD', 'owner-secret');
    try {
      const url = changedUrl(database.url, (copy) => Object.assign(copy, { password: '' }));
      await expect(openPostgres(url).describe(never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('gives up on a server that accepts connections but never answers', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    try {
      const url = changedUrl(database.url, (copy) => Object.assign(copy, { port: String(address.port) }));
      await expect(openPostgres(url, { connectTimeoutMs: 100 }).describe(never)).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        message: expect.stringContaining('in time'),
      });
      const controller = new AbortController();
      const described = openPostgres(url).describe(controller.signal);
      silent.once('connection', () => controller.abort());
      await expect(described).rejects.toMatchObject({ code: 'CANCELED' });
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    }
  });

  it('names the table and the GRANT that helps when a table may not be read', async () => {
    await database.asAdmin('CREATE TABLE private (id int)', 'INSERT INTO private VALUES (1)');
    const snapshot = await source.openSnapshot(never);
    const table = snapshot.description.tables.find((candidate) => candidate.name === 'private');
    if (table === undefined) throw new Error('no table');
    await expect(drain(snapshot.readRows(table, never))).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('public.private'),
      hint: expect.stringContaining('GRANT SELECT ON public.private'),
    });
    await snapshot.close();
    await expect(source.countRows([{ schema: 'public', name: 'private' }], never)).rejects.toMatchObject({
      message: expect.stringContaining('public.private'),
    });
    await expect(source.beginRestore(requestIds(['private']), never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('private'),
      hint: expect.stringContaining('owner of the tables'),
    });
  });

  it('cannot be told the outcome of a restore that went to another server', async () => {
    const ticket = { xid: '3', pid: 1, backendStart: '2000-01-01 00:00:00+00', system: '42' };
    await expect(openPostgres(database.adminUrl).outcome(ticket, never)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('another PostgreSQL server'),
    });
  });
});
