/** Whether ten times the data exports in ten times the time, with the same memory. */
import { median, verdict } from './support/compare.ts';
import { makeDatabase, rootOf, sourceOf } from './support/databases.ts';
import type { BenchOptions, DatabaseKind } from './support/options.ts';
import { watched } from './support/own-work.ts';
import { machine, type Outcome, watchLoad } from './support/report.ts';
import { type Scratch, withScratch } from './support/scratch.ts';
import { Service } from './support/service.ts';
import type { Figures } from './support/work.ts';

const FACTOR = 10;
/** How much longer than in proportion it may take. */
const MOST = 1.15;
const DEFAULT_MEGABYTES = 1400;
const DEFAULT_ROUNDS = 3;

/** A database of one size, with a service of its own, so that each has its own memory. */
interface Sized {
  readonly megabytes: number;
  readonly exportOnce: () => Promise<Figures>;
}

interface Scaled {
  readonly kind: DatabaseKind;
  readonly megabytes: readonly [small: number, large: number];
  readonly seconds: readonly [small: number, large: number];
  readonly peakMiB: readonly [small: number, large: number];
  /** Time for the larger one, divided by the time in proportion to its rows. */
  readonly growth: number;
  readonly met: boolean;
}

/** Exports a tenth and the whole in turns. Always holds: scaling has a goal, no bound. */
export async function benchScale(options: BenchOptions): Promise<Outcome> {
  const load = watchLoad();
  const rounds = options.rounds ?? DEFAULT_ROUNDS;
  const large = options.megabytes ?? DEFAULT_MEGABYTES;
  const scaled: Scaled[] = [];
  for (const kind of options.kinds) {
    const one = await withScratch((here) =>
      withScratch((there) => scale(kind, [here, there], large, rounds)),
    );
    if (one === undefined) console.error(`${kind}: no server is installed, so it is left out.`);
    else scaled.push(one);
  }
  const rows = scaled.map(({ kind, megabytes, seconds, peakMiB, growth, met }) => [
    kind,
    pair(megabytes, 0),
    pair(seconds, 2),
    growth.toFixed(2),
    MOST.toFixed(2),
    verdict(met),
    pair(peakMiB, 0),
  ]);
  const head = ['bundle of', 'MB', 'seconds', `time for ${FACTOR}x rows / ${FACTOR}`, 'goal', '', 'peak MB'];
  const section = {
    id: 'scale',
    title: `${FACTOR} times the data`,
    facts: [`${machine()}.`, `Rounds: ${rounds}.`, load()],
    tables: [{ head, rows }],
    data: { factor: FACTOR, goal: MOST, rounds, kinds: scaled },
  };
  return { sections: [section], holds: true };
}

async function scale(
  kind: DatabaseKind,
  scratches: readonly [Scratch, Scratch],
  megabytes: number,
  rounds: number,
): Promise<Scaled | undefined> {
  const small = await sized(scratches[0], kind, Math.max(1, Math.round(megabytes / FACTOR)));
  const large = await sized(scratches[1], kind, Math.max(1, Math.round(megabytes / FACTOR)) * FACTOR);
  if (small === undefined || large === undefined) return undefined;
  // The first backup of a service compiles its code; that belongs to neither size.
  await small.exportOnce();
  await large.exportOnce();
  const figures: [Figures[], Figures[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    figures[0].push(await small.exportOnce());
    figures[1].push(await large.exportOnce());
    console.error(`${kind}, round ${round + 1}: ${pair(secondsOf(figures), 2)} s`);
  }
  const seconds = secondsOf(figures);
  const growth = seconds[1] / seconds[0] / FACTOR;
  return {
    kind,
    megabytes: [small.megabytes, large.megabytes],
    seconds,
    peakMiB: [peakOf(figures[0]), peakOf(figures[1])],
    growth,
    met: growth <= MOST,
  };
}

async function sized(scratch: Scratch, kind: DatabaseKind, megabytes: number): Promise<Sized | undefined> {
  const database = await makeDatabase(scratch, kind, megabytes);
  if (database === undefined) return undefined;
  const service = await Service.start(scratch, [rootOf(scratch)]);
  const sourceId = await service.createSource({ name: kind, database: sourceOf(kind, database.address) });
  return {
    megabytes: database.megabytes,
    async exportOnce() {
      const { finished, figures } = await watched(service, () => service.backUp(sourceId));
      await service.deleteBackup(finished.backupId);
      return figures;
    },
  };
}

function secondsOf([small, large]: readonly [readonly Figures[], readonly Figures[]]): [number, number] {
  return [median(small.map(({ seconds }) => seconds)), median(large.map(({ seconds }) => seconds))];
}

function peakOf(figures: readonly Figures[]): number {
  return Math.max(...figures.map(({ peakMiB }) => peakMiB ?? 0));
}

function pair([small, large]: readonly [number, number], digits: number): string {
  return `${small.toFixed(digits)} : ${large.toFixed(digits)}`;
}
