/**
 * How long the service takes beside the tools people know, on the same data, in rounds that take turns; each figure
 * is the median of its rounds. Ratios are worth more than seconds: they hold on other machines.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mariadbPeers } from './peers/mariadb.ts';
import { OWN, type Peers } from './peers/peers.ts';
import { postgresPeers } from './peers/postgres.ts';
import { sqlitePeers } from './peers/sqlite.ts';
import {
  compareMedians,
  goalsTable,
  MEMORY_GOAL_MIB,
  type Measured,
  mediansOf,
  verdict,
  worksTable,
} from './support/compare.ts';
import { makeDatabase, rootOf, type SampleDatabase, sourceOf } from './support/databases.ts';
import type { BenchOptions, DatabaseKind } from './support/options.ts';
import { ownWork } from './support/own-work.ts';
import { watchMemory } from './support/process-memory.ts';
import { machine, type Outcome, type Section, watchLoad } from './support/report.ts';
import { type Scratch, withScratch } from './support/scratch.ts';
import { Service } from './support/service.ts';
import { type Comparison, type Figures, STAGES, type Work } from './support/work.ts';

const DEFAULT_MEGABYTES = 1400;
const DEFAULT_ROUNDS = 3;

/** Sealing costs less than a tenth of the backup. */
const SEALING: Comparison = { own: OWN.sealed, peer: OWN.bundle, goal: 1.1 };

const PEERS: Readonly<Record<DatabaseKind, () => Promise<Peers>>> = {
  postgres: postgresPeers,
  sqlite: sqlitePeers,
  mariadb: mariadbPeers,
};

/** Compares on each kind of database. Always holds: speed has goals, no bound. */
export async function benchSpeed(options: BenchOptions): Promise<Outcome> {
  const sections: Section[] = [];
  for (const kind of options.kinds) {
    const section = await withScratch((scratch) => compareOn(scratch, kind, options));
    if (section !== undefined) sections.push(section);
  }
  return { sections, holds: true };
}

async function compareOn(
  scratch: Scratch,
  kind: DatabaseKind,
  options: BenchOptions,
): Promise<Section | undefined> {
  const load = watchLoad();
  const peers = await PEERS[kind]();
  for (const note of peers.notes) console.error(`${kind}: ${note}`);
  const megabytes = options.megabytes ?? DEFAULT_MEGABYTES;
  const database = await makeDatabase(scratch, kind, megabytes, peers.serverBin);
  if (database === undefined) {
    console.error(`${kind}: no server is installed, so it is left out.`);
    return undefined;
  }
  console.error(`${kind}: made ${database.megabytes.toFixed(0)} MB, ${database.version}`);
  const service = await Service.start(scratch, [rootOf(scratch)]);
  const sources = await sourcesFor(service, database);
  const idleMiB = watchMemory(service.pid, { proportional: false }).stop().residentMiB;
  const directory = join(scratch.directory, 'peers');
  await mkdir(directory);
  const works = [...ownWork(service, sources, database), ...peers.work(database, directory)];
  const rounds = options.rounds ?? DEFAULT_ROUNDS;
  const measured = await inRounds(kind, works, rounds, () => database.settle());
  await service.stop();
  const facts = [
    `${machine()}.`,
    `${database.version}, ${database.megabytes.toFixed(0)} MB; rounds: ${rounds}.`,
    `Peers: ${peers.notes.join('; ')}.`,
    load(),
    `The service took ${idleMiB.toFixed(0)} MB before its first work.`,
  ];
  return report({ database, rounds, idleMiB, facts }, measured, peers);
}

async function sourcesFor(
  service: Service,
  { kind, address, targetAddress, emptyTarget }: SampleDatabase,
): Promise<{ live: string; target: string }> {
  // A source has to be there when it is named.
  await emptyTarget();
  return {
    live: await service.createSource({ name: 'live', database: sourceOf(kind, address) }),
    target: await service.createSource({ name: 'target', database: sourceOf(kind, targetAddress) }),
  };
}

/** Everybody once in each round, stage by stage; every second round runs backwards within its stages. */
async function inRounds(
  kind: DatabaseKind,
  works: readonly Work[],
  rounds: number,
  settle: () => Promise<void>,
): Promise<Measured> {
  const measured = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round += 1) {
    await settle();
    for (const stage of STAGES) {
      const turn = works.filter((work) => work.stage === stage);
      for (const work of round % 2 === 0 ? turn : turn.reverse()) {
        await work.prepare?.();
        for (const [name, figures] of await work.run()) {
          measured.set(name, [...(measured.get(name) ?? []), figures]);
          console.error(`${kind}, round ${round + 1}: ${name} ${figures.seconds.toFixed(2)} s`);
        }
      }
    }
  }
  return measured;
}

/** What a section says beside its figures. */
interface Ground {
  readonly database: SampleDatabase;
  readonly rounds: number;
  readonly idleMiB: number;
  readonly facts: readonly string[];
}

function report({ database, rounds, idleMiB, facts }: Ground, measured: Measured, peers: Peers): Section {
  const medians = mediansOf(measured);
  const compared = compareMedians(medians, [...peers.comparisons, SEALING]);
  const ours = new Set<string>(Object.values(OWN));
  const peak = Math.max(
    ...[...medians].flatMap(([name, { peakMiB }]) => (ours.has(name) ? [peakMiB ?? 0] : [])),
  );
  const memoryMet = peak <= MEMORY_GOAL_MIB;
  const goals = goalsTable(compared, medians);
  const memory = [
    'peak memory of all that, MB',
    '',
    '',
    '',
    peak.toFixed(0),
    String(MEMORY_GOAL_MIB),
    verdict(memoryMet),
  ];
  const data = {
    megabytes: database.megabytes,
    server: database.version,
    peers: peers.notes,
    rounds,
    works: [...medians].map(([name, figures]) => ({ name, ...figures, rounds: measured.get(name) })),
    comparisons: compared,
    memory: { idleMiB, peakMiB: peak, goalMiB: MEMORY_GOAL_MIB, met: memoryMet },
  };
  return {
    id: database.kind,
    title: `${database.kind}, ${database.megabytes.toFixed(0)} MB`,
    facts,
    tables: [{ ...goals, rows: [...goals.rows, memory] }, worksTable(medians)],
    data,
  };
}
