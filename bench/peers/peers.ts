/** The tools that are there to compare with; what is missing is said, not skipped in silence. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SampleDatabase } from '../support/databases.ts';
import type { Comparison, Work } from '../support/work.ts';

const run = promisify(execFile);

/** The service's own works, as they are called in every table. */
export const OWN = {
  bundle: 'bundle',
  sealed: 'bundle, sealed by KEY',
  zstd: 'bundle with ZSTD',
  verify: 'verify',
  emptyLoading: 'restore into an empty one, loading',
  emptyProof: 'restore into an empty one, proof',
  emptyWhole: 'restore into an empty one, all of it',
  liveLoading: 'restore over a live one, loading',
  liveProof: 'restore over a live one, proof',
  liveWhole: 'restore over a live one, all of it',
} as const;

/** How others do it. */
export interface Peers {
  /** Which tools these are, and what is missing. */
  readonly notes: readonly string[];
  /** Directory of the PostgreSQL server to measure on; undefined takes the one from npm packages. */
  readonly serverBin?: string;
  /** What is measured beside our own work, writing into `directory`, which is there. */
  work(database: SampleDatabase, directory: string): readonly Work[];
  readonly comparisons: readonly Comparison[];
}

/** Nothing to compare with, and why. */
export function nobody(note: string): Peers {
  return { notes: [note], work: () => [], comparisons: [] };
}

/** What a tool says of its version; undefined when it is not on the PATH. */
export async function versionOf(tool: string): Promise<string | undefined> {
  try {
    return (await run(tool, ['--version'])).stdout.trim();
  } catch {
    return undefined;
  }
}

/** Arguments of bash for a pipeline that fails when any of it fails; `values` are its $1, $2 and so on. */
export function pipeline(script: string, ...values: readonly string[]): readonly string[] {
  return ['-o', 'pipefail', '-c', script, 'bash', ...values];
}
