/** What sqlite3 itself can do. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { commandWork, type Work } from '../support/work.ts';
import { nobody, OWN, type Peers, pipeline, versionOf } from './peers.ts';

const DUMP = '.dump | gzip -1';
const RESTORE = 'sqlite3 < dump';

/** The shell of SQLite. */
export async function sqlitePeers(): Promise<Peers> {
  const version = await versionOf('sqlite3');
  if (version === undefined) return nobody('sqlite3 is not on the PATH: nothing to compare with.');
  return {
    notes: [`sqlite3 ${version.split(' ')[0]}`],
    work: ({ address }, directory): Work[] => {
      const compressed = join(directory, 'dump.gz');
      const plain = join(directory, 'dump.sql');
      const copy = join(directory, 'copy');
      const restored = join(directory, 'restored');
      const dumped = pipeline('sqlite3 "$1" .dump | gzip -1 > "$2"', address, compressed);
      const read = pipeline('sqlite3 "$1" < "$2"', restored, plain);
      return [
        commandWork({ stage: 'EXPORT', name: DUMP, command: 'bash', args: dumped, output: compressed }),
        commandWork({
          stage: 'EXPORT',
          name: '.backup',
          command: 'sqlite3',
          args: [address, `.backup '${copy}'`],
          output: copy,
        }),
        commandWork({
          stage: 'EXPORT',
          name: '.dump',
          command: 'bash',
          args: pipeline('sqlite3 "$1" .dump > "$2"', address, plain),
          output: plain,
        }),
        commandWork({ stage: 'VERIFY', name: 'gzip -t', command: 'gzip', args: ['-t', compressed] }),
        commandWork({
          stage: 'RESTORE_EMPTY',
          name: RESTORE,
          command: 'bash',
          args: read,
          prepare: () => rm(restored, { force: true }),
        }),
      ];
    },
    comparisons: [
      { own: OWN.bundle, peer: DUMP, goal: 0.5 },
      { own: OWN.bundle, peer: '.backup' },
      { own: OWN.verify, peer: 'gzip -t' },
      { own: OWN.emptyLoading, peer: RESTORE, goal: 0.65 },
      { own: OWN.emptyWhole, peer: RESTORE },
      { own: OWN.liveLoading, peer: RESTORE },
    ],
  };
}
