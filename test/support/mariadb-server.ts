/**
 * Starts one real MariaDB for the whole run, if the machine has one (Debian: mariadb-server), and tells the tests
 * where it is: `inject('mariadbUrl')` is its address as root, without a database; null when there is none, and then
 * the tests of MariaDB are skipped. HOLDFAST_TEST_MARIADB_URL names another server to test against, as a user with
 * all privileges. HOLDFAST_TEST_REQUIRE_SERVERS=true makes a missing server a failure (required-servers.ts).
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mariadb';
import type { TestProject } from 'vitest/node';
import { serversAreRequired } from './required-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    mariadbUrl: string | null;
  }
}

const run = promisify(execFile);

/** The kernel has few contexts for asynchronous access to files, and many servers may run at once. */
const NO_AIO = '--innodb-use-native-aio=0';

/** Starting anew is slow, not hung: so many milliseconds are allowed. */
const START_MS = 60_000;
const POLL_MS = 50;

/** A server of its own, started by {@link startMariadb}. */
export interface MariadbServer {
  /** As root, without a database. */
  readonly url: string;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Makes and starts a server; undefined when the machine has none. `settings` go to its command line. */
export async function startMariadb(settings: readonly string[] = []): Promise<MariadbServer | undefined> {
  const program = findProgram('mariadbd');
  const installer = findProgram('mariadb-install-db');
  if (program === undefined || installer === undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-mariadb-'));
  // A server that starts deletes every temporary table of its temporary directory, and so those of the others that
  // run in it: they then fail with "Error on delete", or crash.
  const temporary = join(directory, 'tmp');
  await mkdir(temporary);
  const asRoot = process.getuid?.() === 0;
  if (asRoot) {
    // The server runs as another user when the tests run as root.
    const { stdout } = await run('id', ['-u', 'mysql']);
    await chown(directory, Number(stdout), -1);
    await chown(temporary, Number(stdout), -1);
  }
  const data = join(directory, 'data');
  const user = asRoot ? ['--user=mysql'] : [];
  const install = [
    '--no-defaults',
    ...user,
    `--datadir=${data}`,
    `--tmpdir=${temporary}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    NO_AIO,
  ];
  try {
    await run(installer, install);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  const port = await freePort();
  const url = `mariadb://root@127.0.0.1:${port}`;
  const log = join(directory, 'log');
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(
      program,
      [
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--tmpdir=${temporary}`,
        `--socket=${join(directory, 's')}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--log-error=${log}`,
        // Crashes of the machine are not tested, and syncing makes every DDL slow.
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-flush-method=nosync',
        '--debug-no-sync',
        NO_AIO,
        '--innodb-buffer-pool-size=64M',
        '--performance-schema=OFF',
        ...settings,
      ],
      { stdio: 'ignore' },
    );
    await accepting(child, port, log);
  };
  await start();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    url,
    kill: () => end('SIGKILL'),
    restart: start,
    async stop() {
      if (child?.signalCode === 'SIGSEGV' || child?.signalCode === 'SIGABRT') {
        const told = await readFile(log, 'utf8').catch(() => '');
        process.stderr.write(`MariaDB crashed: ${told.slice(-4_000)}\n`);
      }
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function accepting(child: ChildProcess, port: number, log: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      const connection = await createConnection({
        host: '127.0.0.1',
        port,
        user: 'root',
        connectTimeout: 1_000,
      });
      await connection.end();
      return;
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) {
        const told = await readFile(log, 'utf8').catch(() => '');
        throw new Error(`MariaDB did not start: ${told.slice(-2_000)}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['HOLDFAST_TEST_MARIADB_URL'];
  if (given !== undefined) {
    delete process.env['HOLDFAST_TEST_MARIADB_URL'];
    project.provide('mariadbUrl', given);
    return async () => {};
  }
  const server = await startMariadb();
  if (server === undefined) {
    const message =
      'The tests of MariaDB need a server: install mariadb-server, or set HOLDFAST_TEST_MARIADB_URL.';
    if (serversAreRequired()) throw new Error(message);
    process.stderr.write(`${message} They are skipped.\n`);
  }
  project.provide('mariadbUrl', server?.url ?? null);
  return async () => {
    await server?.stop();
  };
}
