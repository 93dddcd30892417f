/** pg_dump, pg_restore, and what people write themselves. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, type Comparison, commandWork } from '../support/work.ts';
import { nobody, OWN, type Peers, pipeline, versionOf } from './peers.ts';

/** Where Debian keeps the servers of each version. */
const INSTALLED_SERVERS = '/usr/lib/postgresql';
/** The major version of the server from npm packages. */
const EMBEDDED_MAJOR = 18;
const NAIVE = join(import.meta.dirname, 'naive-export.ts');

const ZSTD = 'pg_dump | zstd -3';
const NAIVE_NAME = 'pages of objects, JSON.stringify, gzip -1';

const COMPARISONS: readonly Comparison[] = [
  { own: OWN.bundle, peer: 'pg_dump -Fc', goal: 0.28 },
  { own: OWN.bundle, peer: 'pg_dump -Fd -j2', goal: 0.45 },
  { own: OWN.bundle, peer: 'pg_dump -Fc -Z1', goal: 0.85 },
  { own: OWN.bundle, peer: 'pg_dump -Fd -j2 -Z1', goal: 1.2 },
  { own: OWN.zstd, peer: 'pg_dump -Fd -j2 -Z1', goal: 0.85 },
  { own: OWN.zstd, peer: ZSTD },
  { own: OWN.bundle, peer: NAIVE_NAME },
  { own: OWN.verify, peer: 'pg_restore -f /dev/null', goal: 0.5 },
  { own: OWN.emptyLoading, peer: 'pg_restore -j1', goal: 0.8 },
  { own: OWN.emptyLoading, peer: 'pg_restore -j2', goal: 1.0 },
  { own: OWN.emptyWhole, peer: 'pg_restore -j1' },
  { own: OWN.liveLoading, peer: 'pg_restore --clean --single-transaction', goal: 1.1 },
  { own: OWN.liveWhole, peer: 'pg_restore --clean --single-transaction' },
];

/** The peers on a server of pg_dump's own version. */
export async function postgresPeers(): Promise<Peers> {
  const version = await versionOf('pg_dump');
  if (version === undefined) return nobody('pg_dump is not on the PATH: nothing to compare with.');
  const major = Number(/(\d+)/.exec(version)?.[1]);
  const serverBin = join(INSTALLED_SERVERS, String(major), 'bin');
  // pg_dump refuses servers that are newer than itself.
  const needsOwn = major < EMBEDDED_MAJOR;
  if (needsOwn && !(await exists(join(serverBin, 'initdb')))) {
    return nobody(
      `pg_dump is version ${major}, and there is no server of that version: nothing to compare with.`,
    );
  }
  const zstd = await versionOf('zstd');
  return {
    notes: [
      version,
      zstd === undefined ? 'zstd is not on the PATH and left out' : `zstd ${/v([\d.]+)/.exec(zstd)?.[1]}`,
    ],
    ...(needsOwn && { serverBin }),
    work: ({ address, targetAddress, emptyTarget, settle }, directory) => {
      const commands = [
        ...dumps(address, directory, zstd !== undefined),
        ...restores({ address, targetAddress }, join(directory, 'c.dump'), { emptyTarget, settle }),
      ];
      return commands.map(commandWork);
    },
    comparisons: COMPARISONS,
  };
}

function dumps(address: string, directory: string, zstd: boolean): Command[] {
  const dump = (file: string, ...options: string[]): Command => {
    const output = join(directory, file);
    const args = [...options, '-f', output, address];
    return { stage: 'EXPORT', name: ['pg_dump', ...options].join(' '), command: 'pg_dump', args, output };
  };
  const naive = join(directory, 'naive.gz');
  const compressed = join(directory, 'zst');
  const commands: Command[] = [
    dump('c.dump', '-Fc'),
    dump('c1.dump', '-Fc', '-Z1'),
    dump('d.dump', '-Fd', '-j2'),
    dump('d1.dump', '-Fd', '-j2', '-Z1'),
    {
      stage: 'EXPORT',
      name: NAIVE_NAME,
      command: process.execPath,
      args: [NAIVE, address, naive],
      output: naive,
    },
  ];
  if (zstd) {
    const args = pipeline('pg_dump "$1" | zstd -3 -q -o "$2"', address, compressed);
    commands.push({ stage: 'EXPORT', name: ZSTD, command: 'bash', args, output: compressed });
  }
  return commands;
}

function restores(
  { address, targetAddress }: { readonly address: string; readonly targetAddress: string },
  file: string,
  { emptyTarget, settle }: { emptyTarget(): Promise<void>; settle(): Promise<void> },
): Command[] {
  const restore = (name: string, ...args: string[]): Omit<Command, 'stage'> => ({
    name: `pg_restore ${name}`,
    command: 'pg_restore',
    args: [...args, file],
  });
  return [
    { stage: 'VERIFY', ...restore('-f /dev/null', '-f', '/dev/null') },
    { stage: 'RESTORE_EMPTY', ...restore('-j1', '-d', targetAddress), prepare: emptyTarget },
    { stage: 'RESTORE_EMPTY', ...restore('-j2', '-j2', '-d', targetAddress), prepare: emptyTarget },
    {
      stage: 'RESTORE_LIVE',
      ...restore('--clean --single-transaction', '--clean', '--single-transaction', '-d', address),
      prepare: settle,
    },
  ];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
