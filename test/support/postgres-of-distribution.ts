/** The PostgreSQL of the distribution, for its pg_dump: a cluster of its own on a free port. */
import { execFile, execFileSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const run = promisify(execFile);

/**
 * Where initdb, pg_ctl and pg_dump are; undefined, and said so, where they are not.
 * @throws when they are not, and servers are required
 */
export function distributionBinaries(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root) : [];
  const candidates = [
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  const found = candidates.find((directory) =>
    ['initdb', 'pg_ctl', 'pg_dump'].every((tool) => existsSync(join(directory, tool))),
  );
  if (found === undefined) {
    const message =
      'Not compared with pg_dump: neither /usr/lib/postgresql nor the PATH has initdb, pg_ctl and pg_dump.';
    if (inject('serversRequired')) throw new Error(`${message} Install postgresql.`);
    console.warn(message);
  }
  return found;
}

/** A running server. */
export interface DistributionServer {
  /** Of its maintenance database, as superuser. */
  readonly url: string;
  /** E.g. 15. */
  readonly major: number;
  /** What `pg_dump --schema-only --no-owner` writes, without the lines that differ each time. */
  dump(url: string): Promise<string>;
  stop(): Promise<void>;
}

/** As the user postgres when this is root, whom the server refuses. */
async function asServerUser(program: string, ...args: string[]): Promise<void> {
  if (process.getuid?.() === 0) await run('runuser', ['-u', 'postgres', '--', program, ...args]);
  else await run(program, args);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Starts a cluster with the programs in `binaries`; {@link DistributionServer.stop} removes it. */
export async function startDistributionServer(binaries: string): Promise<DistributionServer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-distribution-'));
  if (process.getuid?.() === 0) {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim());
    chownSync(directory, id('-u'), id('-g'));
  }
  const data = join(directory, 'data');
  const port = await freePort();
  const stop = async (): Promise<void> => {
    await asServerUser(join(binaries, 'pg_ctl'), '-D', data, '-m', 'immediate', 'stop').catch(() => {});
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await asServerUser(
      join(binaries, 'initdb'),
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
    );
    const options = `-c listen_addresses=127.0.0.1 -p ${port} -k ${directory} -c fsync=off`;
    await asServerUser(
      join(binaries, 'pg_ctl'),
      '-D',
      data,
      '-l',
      join(directory, 'log'),
      '-w',
      '-o',
      options,
      'start',
    );
    const version = await run(join(binaries, 'pg_dump'), ['--version']);
    return {
      url: `postgresql://postgres:none@127.0.0.1:${port}/postgres`,
      major: Number(/(\d+)/.exec(version.stdout)?.[1]),
      stop,
      async dump(url) {
        const args = ['--schema-only', '--no-owner', `--dbname=${url}`];
        const { stdout } = await run(join(binaries, 'pg_dump'), args, { maxBuffer: 64 * 1024 * 1024 });
        return stdout.replace(/^\\(un)?restrict .*$/gm, '');
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
