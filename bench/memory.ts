/**
 * The memory the whole service takes, with everything it starts, while it backs up, verifies and restores a
 * database; and how late its event loop runs meanwhile, since progress and pings have to flow.
 */
import { join } from 'node:path';
import type { SourceDatabaseInput } from '../client/sdk/index.ts';
import { makePostgres, makeSqlite, type SampleDatabase } from './support/databases.ts';
import type { BenchOptions, DatabaseKind } from './support/options.ts';
import { printTable } from './support/print-table.ts';
import { type Scratch, withScratch } from './support/scratch.ts';
import { type Cost, Service } from './support/service.ts';

/** What no work may exceed, MB. */
const MOST_MIB = 300;
const DEFAULT_MEGABYTES = 1024;

interface Row {
  readonly work: string;
  readonly megabytes: number;
  readonly cost: Cost;
}

/** Prints a table; false when a peak is over the bound. */
export async function benchMemory(_: Scratch, options: BenchOptions): Promise<boolean> {
  const megabytes = options.megabytes ?? DEFAULT_MEGABYTES;
  const rows: Row[] = [];
  for (const kind of options.kinds) {
    // One after the other, so that only one database is on the disk at a time.
    rows.push(...(await withScratch((scratch) => measure(scratch, kind, megabytes))));
  }
  printTable(
    [
      'work',
      'MB of data',
      'seconds',
      'peak MB',
      'shared once',
      'by process',
      'loop late p99 ms',
      'longest ms',
    ],
    rows.map(({ work, megabytes: size, cost: { seconds, peak, loop } }) => [
      work,
      size.toFixed(0),
      seconds.toFixed(1),
      peak.residentMiB.toFixed(0),
      peak.proportionalMiB.toFixed(0),
      peak.processes.map((one) => one.toFixed(0)).join(' + '),
      loop.p99.toFixed(0),
      loop.longest.toFixed(0),
    ]),
  );
  const over = rows.filter(({ cost }) => cost.peak.residentMiB > MOST_MIB);
  for (const { work } of over) console.log(`FAILED: ${work} took more than ${MOST_MIB} MB.`);
  return over.length === 0;
}

async function measure(scratch: Scratch, kind: DatabaseKind, megabytes: number): Promise<Row[]> {
  const root = join(scratch.directory, 'root');
  const begun = performance.now();
  const database =
    kind === 'sqlite' ? await makeSqlite(root, megabytes) : await makePostgres(scratch, megabytes);
  console.log(`made a ${kind} database in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const service = await Service.start(scratch, [root]);
  const sourceId = await service.createSource({ name: kind, database: sourceOf(database) });
  const rows: Row[] = [];
  const note = (work: string, cost: Cost): void => {
    rows.push({ work: `${kind} ${work}`, megabytes: database.megabytes, cost });
    console.log(`${kind} ${work}: ${cost.seconds.toFixed(1)} s, ${cost.peak.residentMiB.toFixed(0)} MB`);
  };
  // One service does it all, as in real life: what an earlier work leaves in its heap counts.
  const { cost, backupId } = await service.backUp(sourceId);
  note('backup', cost);
  note('verify', await service.verify(backupId));
  const bundle = { backupId };
  note('restore', await service.restore({ bundle, preRestoreBackup: 'NONE' }));
  note('restore after a backup', await service.restore({ bundle, preRestoreBackup: 'REQUIRED' }));
  await service.stop();
  return rows;
}

/** In the words of the API. */
export function sourceOf({ kind, address }: SampleDatabase): SourceDatabaseInput {
  return kind === 'sqlite' ? { sqlite: { path: address } } : { postgresql: { url: address } };
}
