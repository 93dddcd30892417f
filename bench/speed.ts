/**
 * How long the service takes beside the tools people know, on the same data, in rounds that take turns; each figure
 * is the median of its rounds. Ratios are worth more than seconds: they hold on other machines.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makePostgres, makeSqlite, sourceOf } from './support/databases.ts';
import type { BenchOptions, DatabaseKind } from './support/options.ts';
import { printTable } from './support/print-table.ts';
import { postgresRivals, sqliteRivals, type Timed } from './support/rivals.ts';
import { type Scratch, withScratch } from './support/scratch.ts';
import { type Finished, Service } from './support/service.ts';

const DEFAULT_MEGABYTES = 200;
const DEFAULT_ROUNDS = 3;
/** The part of a restore that other tools do too; they neither check the dump before nor the database after. */
const LOADING = ['CLEAR_TABLES', 'LOAD_TABLES', 'CONSTRAINTS', 'COMMIT'];

/** What is timed, by its name, in the order of a round. */
type Round = readonly (readonly [name: string, timed: Timed])[];

/** What is divided by what in the table. */
type Comparisons = readonly (readonly [work: string, rival: string])[];

/** Prints a table of seconds and one of ratios. Always true: speed has goals, no bound. */
export async function benchSpeed(_: Scratch, options: BenchOptions): Promise<boolean> {
  for (const kind of options.kinds) {
    await withScratch((scratch) =>
      compare(scratch, kind, options.megabytes ?? DEFAULT_MEGABYTES, options.rounds ?? DEFAULT_ROUNDS),
    );
  }
  return true;
}

async function compare(
  scratch: Scratch,
  kind: DatabaseKind,
  megabytes: number,
  rounds: number,
): Promise<void> {
  const root = join(scratch.directory, 'root');
  const rivals = kind === 'sqlite' ? await sqliteRivals() : await postgresRivals();
  const database =
    kind === 'sqlite'
      ? await makeSqlite(root, megabytes)
      : await makePostgres(scratch, megabytes, rivals.serverBin);
  console.log(`${kind}: ${database.megabytes.toFixed(0)} MB, ${rounds} rounds; ${rivals.note}`);
  const service = await Service.start(scratch, [root]);
  const sourceId = await service.createSource({ name: kind, database: sourceOf(database) });
  const round: Round = [
    ...ownWork(service, sourceId),
    ...rivals.work(database.address, join(scratch.directory, 'rival')),
  ];
  const seconds = new Map<string, number[]>(round.map(([name]) => [name, []]));
  for (let n = 0; n < rounds; n += 1) {
    for (const [name, timed] of round) seconds.get(name)?.push(await timed());
  }
  await rm(join(scratch.directory, 'rival'), { recursive: true, force: true });
  await service.stop();
  print(seconds, rivals.comparisons);
}

/** A backup, then what is done with it; the last one of a round leaves nothing for the next. */
function ownWork(service: Service, sourceId: string): Round {
  let backupId = '';
  let restored: Finished | undefined;
  return [
    [
      'backup',
      async () => {
        const made = await service.backUp(sourceId);
        backupId = made.backupId;
        return made.seconds;
      },
    ],
    ['verify', async () => (await service.verify(backupId)).seconds],
    [
      'restore, all of it',
      async () => {
        restored = await service.restore({ bundle: { backupId }, preRestoreBackup: 'NONE' });
        await service.deleteBackup(backupId);
        return restored.seconds;
      },
    ],
    [
      'restore, loading alone',
      async () => LOADING.reduce((sum, phase) => sum + (restored?.phases.get(phase) ?? 0), 0),
    ],
  ];
}

function print(seconds: ReadonlyMap<string, readonly number[]>, comparisons: Comparisons): void {
  const medians = new Map([...seconds].map(([name, values]) => [name, median(values)]));
  printTable(
    ['work', 'seconds', 'fastest', 'slowest'],
    [...seconds].map(([name, values]) => [
      name,
      ...[medians.get(name) ?? 0, Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2)),
    ]),
  );
  const compared = comparisons.flatMap(([work, rival]) => {
    const [own, other] = [medians.get(work), medians.get(rival)];
    return own === undefined || other === undefined ? [] : [[`${work} : ${rival}`, (own / other).toFixed(2)]];
  });
  if (compared.length === 0) return;
  console.log();
  printTable(['compared', 'ratio'], compared);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}
