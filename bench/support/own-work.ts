/** The service's own part of a round: what it does to a database, and what of that others do too. */
import { OWN } from '../peers/peers.ts';
import type { SampleDatabase } from './databases.ts';
import { watchMemory } from './process-memory.ts';
import type { Finished, PhaseFigures, Service } from './service.ts';
import type { Figures, Work } from './work.ts';

/** The phases of a restore that other tools go through too: they neither check a dump before nor read back after. */
const LOADING = ['CLEAR_TABLES', 'LOAD_TABLES', 'CONSTRAINTS', 'COMMIT'];
const BYTES_PER_MIB = 2 ** 20;
/** Backups of the service are sealed unless told otherwise; none of the tools beside it seals anything. */
const OPEN = { encryption: { mode: 'NONE' } } as const;

/** The sources of the service that a bench works on. */
export interface OwnSources {
  /** The database that is measured. */
  readonly live: string;
  /** The empty one beside it. */
  readonly target: string;
}

/** Backups, a verification, a restore into an empty database and one over a live one. */
export function ownWork(service: Service, sources: OwnSources, database: SampleDatabase): Work[] {
  let backupId: string | undefined;
  const bundle = (): { backupId: string } => {
    if (backupId === undefined) throw new Error('There is no backup yet.');
    return { backupId };
  };
  const remove = async (id: string | undefined): Promise<void> => {
    if (id !== undefined) await service.deleteBackup(id);
  };
  return [
    {
      stage: 'EXPORT',
      async prepare() {
        await remove(backupId);
        backupId = undefined;
      },
      async run() {
        const { finished, figures } = await watched(service, () => service.backUp(sources.live, OPEN));
        backupId = finished.backupId;
        return [[OWN.bundle, { ...figures, sizeMiB: finished.bytes / BYTES_PER_MIB }]];
      },
    },
    {
      stage: 'EXPORT',
      async run() {
        const sealed = { encryption: { mode: 'KEY' } } as const;
        const { finished, figures } = await watched(service, () => service.backUp(sources.live, sealed));
        await remove(finished.backupId);
        return [[OWN.sealed, { ...figures, sizeMiB: finished.bytes / BYTES_PER_MIB }]];
      },
    },
    {
      stage: 'EXPORT',
      async run() {
        const zstd = { ...OPEN, compression: 'ZSTD' } as const;
        const { finished, figures } = await watched(service, () => service.backUp(sources.live, zstd));
        await remove(finished.backupId);
        return [[OWN.zstd, { ...figures, sizeMiB: finished.bytes / BYTES_PER_MIB }]];
      },
    },
    {
      stage: 'VERIFY',
      async run() {
        const { figures } = await watched(service, () => service.verify(bundle().backupId));
        return [[OWN.verify, figures]];
      },
    },
    {
      stage: 'RESTORE_EMPTY',
      prepare: () => database.emptyTarget(),
      async run() {
        const { finished, figures } = await watched(service, () =>
          service.restore({
            bundle: bundle(),
            sourceId: sources.target,
            allowForeignSource: true,
            preRestoreBackup: 'NONE',
          }),
        );
        return [
          [OWN.emptyLoading, ofPhases(finished, LOADING)],
          [OWN.emptyProof, ofPhases(finished, ['PROVE'])],
          [OWN.emptyWhole, figures],
        ];
      },
    },
    {
      stage: 'RESTORE_LIVE',
      prepare: () => database.settle(),
      async run() {
        const { finished, figures } = await watched(service, () =>
          service.restore({ bundle: bundle(), preRestoreBackup: 'NONE' }),
        );
        return [
          [OWN.liveLoading, ofPhases(finished, LOADING)],
          [OWN.liveProof, ofPhases(finished, ['PROVE'])],
          [OWN.liveWhole, figures],
        ];
      },
    },
  ];
}

/** One record of the service, with the memory it took. */
export async function watched<T extends Finished>(
  service: Service,
  start: () => Promise<T>,
): Promise<{ finished: T; figures: Figures }> {
  const memory = watchMemory(service.pid, { proportional: false });
  try {
    const finished = await start();
    const { seconds, cpuSeconds } = finished;
    return { finished, figures: { seconds, cpuSeconds, peakMiB: memory.stop().residentMiB } };
  } finally {
    memory.stop();
  }
}

function ofPhases({ phases }: Finished, names: readonly string[]): Figures {
  const sum = (pick: (phase: PhaseFigures) => number): number =>
    names.reduce((total, name) => {
      const phase = phases.get(name);
      return phase === undefined ? total : total + pick(phase);
    }, 0);
  return { seconds: sum((phase) => phase.seconds), cpuSeconds: sum((phase) => phase.cpuSeconds) };
}
