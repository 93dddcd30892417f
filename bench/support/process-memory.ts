/** Memory of a process and everything it started, as Linux tells it. */
import { familyOf, readOrEmpty } from './process-tree.ts';

const SAMPLE_MS = 50;
/** Adding up every page of a process is dear, so the shared ones are looked at less often. */
const PROPORTIONAL_EVERY = 10;
const KIB_PER_MIB = 1024;

/** The highest that was seen, MB (2^20 bytes). */
export interface PeakMemory {
  /** Resident pages of all processes added up: pages they share (Node's own code) count once for each. */
  readonly residentMiB: number;
  /** The same with shared pages counted once, from fewer samples. */
  readonly proportionalMiB: number;
  /** Resident pages at that peak, the service first, then what it started, each on its own. */
  readonly processes: readonly number[];
}

/** Watches from now on. */
export interface MemoryWatch {
  /** Ends the watch. */
  stop(): PeakMemory;
}

/**
 * @param options.proportional false leaves out what makes samples dear, where nobody asks for it
 * @throws Error where there is no /proc to read from
 */
export function watchMemory(pid: number, options = { proportional: true }): MemoryWatch {
  if (process.platform !== 'linux') throw new Error('Memory is read from /proc, which only Linux has.');
  let peak = { residentMiB: 0, processes: [] as readonly number[] };
  let proportionalMiB = 0;
  let samples = 0;
  const sample = (): void => {
    const pids = familyOf(pid);
    const processes = pids.map((one) => kibibytes(one, 'status', 'VmRSS') / KIB_PER_MIB);
    const residentMiB = processes.reduce((sum, one) => sum + one, 0);
    if (residentMiB > peak.residentMiB) peak = { residentMiB, processes };
    if (!options.proportional || samples++ % PROPORTIONAL_EVERY !== 0) return;
    const shared = pids.reduce((sum, one) => sum + kibibytes(one, 'smaps_rollup', 'Pss'), 0);
    proportionalMiB = Math.max(proportionalMiB, shared / KIB_PER_MIB);
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop() {
      sample();
      clearInterval(timer);
      return { ...peak, proportionalMiB };
    },
  };
}

function kibibytes(pid: number, file: 'status' | 'smaps_rollup', field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readOrEmpty(`/proc/${pid}/${file}`));
  return Number(found?.[1] ?? 0);
}
