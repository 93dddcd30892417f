/**
 * The memory the whole service takes, with everything it starts, while it backs up, verifies and restores a
 * database; and how late its event loop runs meanwhile, since progress and pings have to flow.
 */
import { makeDatabase, rootOf, sourceOf } from './support/databases.ts';
import type { BenchOptions, DatabaseKind } from './support/options.ts';
import { type PeakMemory, watchMemory } from './support/process-memory.ts';
import { machine, type Outcome, watchLoad } from './support/report.ts';
import { type Scratch, withScratch } from './support/scratch.ts';
import { type Finished, Service } from './support/service.ts';
import type { LoopDelay } from './support/watch-loop.ts';

/** What no work may exceed, MB. */
const MOST_MIB = 300;
const DEFAULT_MEGABYTES = 1024;

interface Row {
  readonly work: string;
  readonly megabytes: number;
  readonly seconds: number;
  readonly peak: PeakMemory;
  readonly loop: LoopDelay;
}

/** Does not hold when a peak is over the bound. */
export async function benchMemory(options: BenchOptions): Promise<Outcome> {
  const load = watchLoad();
  const megabytes = options.megabytes ?? DEFAULT_MEGABYTES;
  const rows: Row[] = [];
  for (const kind of options.kinds) {
    // One after the other, so that only one database is on the disk at a time.
    rows.push(...(await withScratch((scratch) => measure(scratch, kind, megabytes))));
  }
  const over = rows.filter(({ peak }) => peak.residentMiB > MOST_MIB);
  for (const { work } of over) console.error(`FAILED: ${work} took more than ${MOST_MIB} MB.`);
  const head = [
    'work',
    'MB of data',
    'seconds',
    'peak MB',
    'shared once',
    'by process',
    'loop late p99',
    'longest',
  ];
  const section = {
    id: 'memory',
    title: 'memory',
    facts: [`${machine()}.`, 'One run.', load()],
    tables: [{ head, rows: rows.map(toCells) }],
    data: { boundMiB: MOST_MIB, works: rows },
  };
  return { sections: [section], holds: over.length === 0 };
}

function toCells({ work, megabytes, seconds, peak, loop }: Row): string[] {
  return [
    work,
    megabytes.toFixed(0),
    seconds.toFixed(1),
    peak.residentMiB.toFixed(0),
    peak.proportionalMiB.toFixed(0),
    peak.processes.map((one) => one.toFixed(0)).join(' + '),
    loop.p99.toFixed(0),
    loop.longest.toFixed(0),
  ];
}

async function measure(scratch: Scratch, kind: DatabaseKind, megabytes: number): Promise<Row[]> {
  const begun = performance.now();
  const database = await makeDatabase(scratch, kind, megabytes);
  if (database === undefined) {
    console.error(`${kind}: no server is installed, so it is left out.`);
    return [];
  }
  console.error(`made a ${kind} database in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const service = await Service.start(scratch, [rootOf(scratch)]);
  const sourceId = await service.createSource({ name: kind, database: sourceOf(kind, database.address) });
  const rows: Row[] = [];
  const watch = async <T extends Finished>(work: string, start: () => Promise<T>): Promise<T> => {
    await service.loopDelay();
    const memory = watchMemory(service.pid);
    try {
      const finished = await start();
      const { seconds } = finished;
      const peak = memory.stop();
      rows.push({
        work: `${kind} ${work}`,
        megabytes: database.megabytes,
        seconds,
        peak,
        loop: await service.loopDelay(),
      });
      console.error(`${kind} ${work}: ${seconds.toFixed(1)} s, ${peak.residentMiB.toFixed(0)} MB`);
      return finished;
    } finally {
      memory.stop();
    }
  };
  // One service does it all, as in real life: what an earlier work leaves in its heap counts.
  const { backupId } = await watch('backup', () => service.backUp(sourceId));
  await watch('verify', () => service.verify(backupId));
  const bundle = { backupId };
  await watch('restore', () => service.restore({ bundle, preRestoreBackup: 'NONE' }));
  await watch('restore after a backup', () => service.restore({ bundle, preRestoreBackup: 'REQUIRED' }));
  await service.stop();
  return rows;
}
