/** mariadb-dump and mariadb. */
import { join } from 'node:path';
import { commandWork } from '../support/work.ts';
import { nobody, OWN, type Peers, pipeline, versionOf } from './peers.ts';

const DUMP = 'mariadb-dump | gzip -1';
const RESTORE = 'mariadb < dump';
const RESTORE_LIVE = 'mariadb < dump, over a live one';

/** The tools of MariaDB. */
export async function mariadbPeers(): Promise<Peers> {
  const version = await versionOf('mariadb-dump');
  if (version === undefined) return nobody('mariadb-dump is not on the PATH: nothing to compare with.');
  return {
    notes: [version],
    work: ({ address, targetAddress, emptyTarget }, directory) => {
      const compressed = join(directory, 'dump.gz');
      const plain = join(directory, 'dump.sql');
      const { hostname, port, pathname } = new URL(address);
      // No defaults: what the user has set up for these tools is not what is measured.
      const options = '--no-defaults -h "$1" -P "$2" -u root';
      const dump = `mariadb-dump ${options} --single-transaction --quick "$3"`;
      const to = (database: string, ...rest: string[]): string[] => [
        hostname,
        port,
        database.slice(1),
        ...rest,
      ];
      const read = (database: string): readonly string[] =>
        pipeline(`mariadb ${options} "$3" < "$4"`, ...to(database, plain));
      return [
        commandWork({
          stage: 'EXPORT',
          name: DUMP,
          command: 'bash',
          args: pipeline(`${dump} | gzip -1 > "$4"`, ...to(pathname, compressed)),
          output: compressed,
        }),
        commandWork({
          stage: 'EXPORT',
          name: 'mariadb-dump',
          command: 'bash',
          args: pipeline(`${dump} > "$4"`, ...to(pathname, plain)),
          output: plain,
        }),
        commandWork({
          stage: 'RESTORE_EMPTY',
          name: RESTORE,
          command: 'bash',
          args: read(new URL(targetAddress).pathname),
          prepare: emptyTarget,
        }),
        commandWork({ stage: 'RESTORE_LIVE', name: RESTORE_LIVE, command: 'bash', args: read(pathname) }),
      ];
    },
    comparisons: [
      { own: OWN.bundle, peer: DUMP },
      { own: OWN.bundle, peer: 'mariadb-dump' },
      { own: OWN.emptyLoading, peer: RESTORE },
      { own: OWN.emptyWhole, peer: RESTORE },
      { own: OWN.liveLoading, peer: RESTORE_LIVE },
      { own: OWN.liveWhole, peer: RESTORE_LIVE },
    ],
  };
}
