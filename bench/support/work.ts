/** One thing that is measured, of the service or of a peer, and what measuring gives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { watchMemory } from './process-memory.ts';
import { endedChildrensCpu } from './process-tree.ts';

/** The stages of a round: a later one needs what an earlier one made. */
export const STAGES = ['EXPORT', 'VERIFY', 'RESTORE_EMPTY', 'RESTORE_LIVE'] as const;

/** One of {@link STAGES}. */
export type Stage = (typeof STAGES)[number];

/** What one work took, without the database's server, which works for everybody. */
export interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Resident memory of all its processes added up, at its highest; undefined for a part of a work. */
  readonly peakMiB?: number;
  /** Of what an export wrote. */
  readonly sizeMiB?: number;
}

/** Something to measure, once in every round. */
export interface Work {
  readonly stage: Stage;
  /** Not measured. */
  prepare?(): Promise<void>;
  /** A work may tell of its parts, each by its name. */
  run(): Promise<readonly (readonly [name: string, figures: Figures])[]>;
}

/** What is divided by what, and what the goal for that is. */
export interface Comparison {
  readonly own: string;
  readonly peer: string;
  readonly goal?: number;
}

/** A command of a peer. */
export interface Command {
  readonly stage: Stage;
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What it writes: removed before, and its size told. */
  readonly output?: string;
  /** Not measured. */
  readonly prepare?: () => Promise<void>;
}

const BYTES_PER_MIB = 2 ** 20;
/** A tool that fails says so in its last words. */
const LAST_WORDS = 2000;

/** A peer's command as a work. */
export function commandWork({ stage, name, command, args, output, prepare }: Command): Work {
  return {
    stage,
    async prepare() {
      if (output !== undefined) await rm(output, { recursive: true, force: true });
      await prepare?.();
    },
    async run() {
      const figures = await measureCommand(command, args);
      return [[name, output === undefined ? figures : { ...figures, sizeMiB: await mebibytes(output) }]];
    },
  };
}

/** @throws Error when the command fails, with what it said */
async function measureCommand(command: string, args: readonly string[]): Promise<Figures> {
  const cpuBefore = endedChildrensCpu();
  const begun = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const words = lastWords(child);
  const memory = child.pid === undefined ? undefined : watchMemory(child.pid, { proportional: false });
  try {
    const [code] = await once(child, 'close');
    const seconds = (performance.now() - begun) / 1000;
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${words()}`);
    const cpuSeconds = endedChildrensCpu() - cpuBefore;
    return { seconds, cpuSeconds, ...(memory && { peakMiB: memory.stop().residentMiB }) };
  } finally {
    memory?.stop();
  }
}

function lastWords(child: ChildProcess): () => string {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-LAST_WORDS);
  });
  return () => said;
}

/** Of a file or everything in a directory. */
async function mebibytes(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size / BYTES_PER_MIB;
  const sizes = await Promise.all((await readdir(path)).map((name) => mebibytes(join(path, name))));
  return sizes.reduce((sum, one) => sum + one, 0);
}
