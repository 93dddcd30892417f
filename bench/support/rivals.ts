/** The tools that are there to compare with; what is missing is said, not skipped in silence. */
import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where Debian keeps the servers of each version. */
const INSTALLED_SERVERS = '/usr/lib/postgresql';
/** The major version of the server from npm packages. */
const EMBEDDED_MAJOR = 18;

/** One thing to time; returns seconds. */
export type Timed = () => Promise<number>;

/** How others do it. */
export interface Rivals {
  /** Which tools these are, or what is missing. */
  readonly note: string;
  /** Directory of the server to measure on; undefined takes the one from npm packages. */
  readonly serverBin: string | undefined;
  /** What is timed after our own work, writing into `directory`. */
  work(address: string, directory: string): (readonly [name: string, timed: Timed])[];
  /** Which of our figures belongs to which of theirs. */
  readonly comparisons: readonly (readonly [work: string, rival: string])[];
}

const NOBODY = { serverBin: undefined, work: () => [], comparisons: [] };

/** pg_dump and pg_restore. */
export async function postgresRivals(): Promise<Rivals> {
  const version = await versionOf('pg_dump');
  if (version === undefined) {
    return { ...NOBODY, note: 'pg_dump is not on the PATH, so there is nothing to compare with' };
  }
  const major = Number(/(\d+)/.exec(version)?.[1]);
  const serverBin = join(INSTALLED_SERVERS, String(major), 'bin');
  // pg_dump refuses servers that are newer than itself.
  const needsOwn = major < EMBEDDED_MAJOR;
  if (needsOwn && !(await exists(join(serverBin, 'initdb')))) {
    return {
      ...NOBODY,
      note: `pg_dump is version ${major}, older than the server from npm packages, and there is no server of its own`,
    };
  }
  return {
    note: `${version}, on a server of version ${needsOwn ? major : EMBEDDED_MAJOR}`,
    serverBin: needsOwn ? serverBin : undefined,
    work(address, directory) {
      const file = join(directory, 'dump');
      const dump = (...options: string[]) => inFresh(directory, 'pg_dump', [...options, '-f', file, address]);
      return [
        ['pg_dump -Fc -Z1', () => dump('-Fc', '-Z1')],
        ['pg_dump -Fc', () => dump('-Fc')],
        ['pg_restore -f /dev/null', () => seconds('pg_restore', ['-f', '/dev/null', file])],
        [
          'pg_restore --clean --single-transaction',
          () => seconds('pg_restore', ['--clean', '--single-transaction', '-d', address, file]),
        ],
      ];
    },
    comparisons: [
      ['backup', 'pg_dump -Fc -Z1'],
      ['backup', 'pg_dump -Fc'],
      ['verify', 'pg_restore -f /dev/null'],
      ['restore, loading alone', 'pg_restore --clean --single-transaction'],
      ['restore, all of it', 'pg_restore --clean --single-transaction'],
    ],
  };
}

/** sqlite3's dump. */
export async function sqliteRivals(): Promise<Rivals> {
  const version = await versionOf('sqlite3');
  if (version === undefined) {
    return { ...NOBODY, note: 'sqlite3 is not on the PATH, so there is nothing to compare with' };
  }
  return {
    note: `sqlite3 ${version.split(' ')[0]}`,
    serverBin: undefined,
    work(address, directory) {
      // The names are arguments of the shell, not part of its script.
      const shell = (script: string) => ['-c', script, 'sh', address, directory];
      return [
        [
          '.dump | gzip -1',
          () => inFresh(directory, 'sh', shell('sqlite3 "$1" .dump | gzip -1 > "$2/dump.gz"')),
        ],
        ['gzip -t', () => seconds('sh', shell('gzip -t "$2/dump.gz"'))],
        ['gunzip | sqlite3', () => seconds('sh', shell('gunzip -c "$2/dump.gz" | sqlite3 "$2/restored"'))],
      ];
    },
    comparisons: [
      ['backup', '.dump | gzip -1'],
      ['verify', 'gzip -t'],
      ['restore, loading alone', 'gunzip | sqlite3'],
      ['restore, all of it', 'gunzip | sqlite3'],
    ],
  };
}

async function versionOf(tool: string): Promise<string | undefined> {
  try {
    return (await run(tool, ['--version'])).stdout.trim();
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Runs a command with nothing left of the round before. */
async function inFresh(directory: string, command: string, args: readonly string[]): Promise<number> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  return await seconds(command, args);
}

async function seconds(command: string, args: readonly string[]): Promise<number> {
  const begun = performance.now();
  await run(command, args);
  return (performance.now() - begun) / 1000;
}
